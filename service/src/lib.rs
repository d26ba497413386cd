//! The Cluster Node Service: takes owners' requests, verifies what gateways publish, and shows each owner its own
//! ceremonies and validators.
//!
//! Where to read:
//! - [`v1`]: the REST API; [`legacy`]: the API of existing apps; [`auth`]: who calls;
//! - [`app`]: the web app, which this program carries along;
//! - [`publish`]: verification and merging of certificates; [`events`]: what happens in a ceremony;
//! - [`chain`]: what is read from the chain, and Lido's contracts;
//! - [`store`]: SQLite or PostgreSQL; [`config`]: what can be set; [`limits`]: every bound.
//!
//! The way of a request: `POST /v1/requests` ([`v1::requests`]) checks and stores it, a gateway's poll
//! ([`v1::gateway`]) takes it to the mesh, the operators' progress and certificate come back through the gateway,
//! [`publish`] verifies them, and the owner reads the validators ([`v1::validators`]).

pub mod app;
pub mod auth;
pub mod chain;
pub mod clock;
pub mod config;
pub mod events;
pub mod hex;
pub mod legacy;
pub mod limits;
pub mod metrics;
pub mod problem;
pub mod publish;
pub mod rate_limit;
pub mod schemas;
pub mod server;
pub mod state;
pub mod store;
pub mod v1;

pub use clock::Clock;
pub use config::Config;
pub use server::{start, RunningService, StartError};
pub use v1::openapi_json;
