//! The service over real HTTP; every suite runs on SQLite and on PostgreSQL.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

mod app;
mod chain;
mod events;
mod gateway;
mod legacy;
mod legacy_shapes;
mod login;
mod openapi;
mod performance;
mod preflights;
mod publish;
mod requests;
mod service;
mod store;
mod tenancy;
mod upkeep;
