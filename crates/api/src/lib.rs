//! The desk: HTTP routes, sessions, permissions, the JSON types, media ranges, live WebSockets and
//! the web app's files. Everything is closed by default; `routes` is where it opens.
//!
//! [`App`] is put together from the store, the registry, the live pictures and a [`Control`], which
//! the top crate implements. [`serve_tls`], [`serve_plain`] and [`serve_unix`] serve it;
//! [`App::local_router`] calls it from the same process.
//!
//! Not here: wire bytes of cameras, the configuration file, starting and stopping of anything.

// A door reads the clock; the rooms below are handed `now`.
#![allow(clippy::disallowed_methods)]

mod app;
mod archive;
mod auth;
mod control;
mod endpoints;
mod openapi;
mod problem;
mod ranges;
mod routes;
mod serve;
pub mod tls;
mod web;

pub use app::{App, CONNECTIONS_MAX, Clock, Parts, SETUP_LINK, VIEWERS_MAX};
pub use auth::password;
pub use control::{
    CameraState, CameraStatus, Certificate, Control, Detail, Idle, Later, Probe, ProbeRequest,
};
pub use openapi::openapi;
pub use problem::Problem;
pub use serve::{Local, serve_plain, serve_tls, serve_unix};
pub use web::is_built as web_is_built;

#[cfg(test)]
mod tests;
