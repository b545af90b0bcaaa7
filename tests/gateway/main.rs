//! The gateway as its clients see it. Every answer is held to the OpenAPI document on its way.

mod client;
mod document;
mod hostile;
mod kill;
mod language_model;
mod lifecycle;
mod limits;
mod metrics;
mod once;
mod recovery;
mod routes;
mod tcp;
mod turns;
mod world;
