//! Stores that are damaged on purpose: noticed, named, mended, and never answered for with wrong data.
mod flips;
mod rebuild;
mod repair;
mod verify;
mod world;
