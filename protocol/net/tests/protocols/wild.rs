//! Peers that keep to no protocol.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response;
use libp2p::StreamProtocol;

/// A peer that sends whatever bytes it likes under the name of a protocol.
#[derive(Clone)]
pub struct Raw;

/// A peer that asks and does not read the answer.
#[derive(Clone)]
pub struct Deaf;

/// Bytes to write, and whether the stream is left open behind them.
#[derive(Debug, Clone)]
pub struct Wild {
    pub bytes: Vec<u8>,
    pub hang: bool,
}

impl Wild {
    pub fn closed(bytes: Vec<u8>) -> Self {
        Self { bytes, hang: false }
    }
}

impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Wild;
    type Response = Wild;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Wild>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(Wild::closed(bytes))
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Wild>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read_request(&StreamProtocol::new("/raw"), io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, wild: Wild) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&wild.bytes).await?;
        io.flush().await?;
        if wild.hang {
            futures::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn write_response<T>(&mut self, protocol: &StreamProtocol, io: &mut T, wild: Wild) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write_request(protocol, io, wild).await
    }
}

impl request_response::Codec for Deaf {
    type Protocol = StreamProtocol;
    type Request = Wild;
    type Response = Wild;

    async fn read_request<T>(&mut self, protocol: &StreamProtocol, io: &mut T) -> io::Result<Wild>
    where
        T: AsyncRead + Unpin + Send,
    {
        Raw.read_request(protocol, io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Wild>
    where
        T: AsyncRead + Unpin + Send,
    {
        futures::future::pending().await
    }

    async fn write_request<T>(&mut self, protocol: &StreamProtocol, io: &mut T, wild: Wild) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Raw.write_request(protocol, io, wild).await
    }

    async fn write_response<T>(&mut self, protocol: &StreamProtocol, io: &mut T, wild: Wild) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Raw.write_request(protocol, io, wild).await
    }
}
