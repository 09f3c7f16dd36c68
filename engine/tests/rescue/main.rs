//! Stores that are damaged on purpose: noticed, named, mended, and never answered for with wrong data.
mod cold;
mod flips;
mod format;
mod leaning;
mod live;
mod point;
mod quota;
mod rebuild;
mod repair;
mod salvage;
#[path = "../shared/seeds.rs"]
mod seeds;
mod strangers;
mod verify;
mod world;
