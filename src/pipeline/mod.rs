//! The engine around the core: synchronous, generic over a [`ports::Broker`].

pub mod ports;
