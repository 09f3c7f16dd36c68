//! What the fuzz targets share: the macro that makes one, input taken apart into numbers and bytes, and a store on a simulated disk.
//! Decides nothing about the code under test.
pub mod damage;
pub mod imap_list;
pub mod mail;
pub mod records;
pub mod smtp;
pub mod state;
pub mod store;
pub mod take;
pub mod town;

pub use libfuzzer_sys;
pub use take::Take;

use std::path::Path;

/// A fuzz target: the function is called with every input. `seeds` gives inputs to begin with, which the environment variable
/// `PH_FUZZ_SEEDS` asks to be written to a folder.
#[macro_export]
macro_rules! target {
    ($run:path) => {
        $crate::target!($run, seeds: Vec::new());
    };
    ($run:path, seeds: $seeds:expr) => {
        $crate::libfuzzer_sys::fuzz_target!(init: $crate::write_seeds(|| $seeds), |data: &[u8]| $run(data));
    };
}

/// Writes the target's own seeds where `PH_FUZZ_SEEDS` says, if it does.
pub fn write_seeds(seeds: impl FnOnce() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("PH_FUZZ_SEEDS") else { return };
    std::fs::create_dir_all(&folder).expect("the folder for seeds");
    for (number, seed) in seeds().into_iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("made-{number}")), seed).expect("a seed");
    }
}
