//! Posthouse's benches: criterion runs per layer in `benches/`, the load generator in
//! `src/bin/load/`, side-by-side runs against installed peers in `peers/`. Never linked into the
//! server.
pub mod work;
