//! Live progress of a ceremony by server-sent events.
//!
//! Events are persisted before they are sent; a client that comes back with `Last-Event-ID` misses none and gets
//! none twice. The stream ends after `ready`; a client that asks again then gets 204, which tells a browser's
//! `EventSource` to stop.

use super::ceremonies::find;
use super::extract::ApiPath;
use crate::auth::session::Owner;
use crate::events::{CeremonyEvent, EventKind};
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, OwnedSemaphorePermit};

/// Streams what happens in a ceremony, from its beginning or from `Last-Event-ID`.
#[utoipa::path(get, path = "/v1/ceremonies/{ceremony_id}/events", tag = "ceremonies", security(("session" = [])),
    params(("ceremony_id" = String, Path, description = "0x and 64 hex digits"),
           ("Last-Event-ID" = Option<i64>, Header, description = "Number of the last event that was seen")),
    responses((status = 200, body = CeremonyEvent, content_type = "text/event-stream"),
              (status = 204, description = "Nothing more will happen"), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 503, body = Problem)))]
pub async fn events(
    State(state): State<AppState>,
    owner: Owner,
    ApiPath(id): ApiPath,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let row = find(&state, &owner, &id).await?;
    let after = last_event_id(&headers)?;
    // Subscribed before the first read, so that nothing falls in between.
    let news = state.wake.ceremonies();
    let first = state.store.events_after(&row.ceremony_id, after, limits::EVENT_BATCH).await?;
    if first.is_empty() && row.status == "ready" {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let permit = state.stream_slots.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable("Too many event streams are open; try again later."))?;
    state.metrics.event_streams.inc();
    let follower = Follower {
        ceremony_id: row.ceremony_id,
        after,
        ready: first.into_iter().map(|event| (event.seq, event.data)).collect(),
        ended: false,
        news,
        owner,
        state,
        _permit: permit,
    };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(follower.stream()).keep_alive(keep_alive).into_response())
}

fn last_event_id(headers: &HeaderMap) -> ApiResult<i64> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(0);
    };
    let id = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|id| *id >= 0);
    id.ok_or_else(|| Problem::invalid("Last-Event-ID", "Last-Event-ID is not the number of an event."))
}

struct Follower {
    ceremony_id: String,
    after: i64,
    ready: VecDeque<(i64, String)>,
    ended: bool,
    news: broadcast::Receiver<Arc<str>>,
    owner: Owner,
    state: AppState,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.state.metrics.event_streams.dec();
    }
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures::stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.ended {
                return None;
            }
            if let Some((seq, data)) = self.ready.pop_front() {
                self.after = seq;
                let kind = serde_json::from_str::<CeremonyEvent>(&data).ok()?.body.kind;
                self.ended = kind == EventKind::Ready;
                return Some(Event::default().id(seq.to_string()).event(kind.as_str()).data(data));
            }
            self.wait().await?;
            // A session may end while its stream is open.
            if !self.owner.is_live(&self.state).await.ok()? {
                return None;
            }
            let events =
                self.state.store.events_after(&self.ceremony_id, self.after, limits::EVENT_BATCH).await.ok()?;
            self.ready = events.into_iter().map(|event| (event.seq, event.data)).collect();
        }
    }

    /// Until something may have happened; `None` when the service stops.
    async fn wait(&mut self) -> Option<()> {
        let look_again = tokio::time::sleep(Duration::from_millis(limits::EVENT_POLL_MS));
        tokio::pin!(look_again);
        loop {
            tokio::select! {
                () = self.state.stopping.cancelled() => return None,
                () = &mut look_again => return Some(()),
                news = self.news.recv() => match news {
                    Ok(ceremony_id) if *ceremony_id != *self.ceremony_id => {}
                    // Lagging behind means that ours may have been among the missed.
                    _ => return Some(()),
                },
            }
        }
    }
}
