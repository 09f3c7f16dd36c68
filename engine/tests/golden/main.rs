//! Stores as each segment version wrote them (tests/golden/): they open, are proven, show what they showed when they were made, take mail,
//! and until then are as the program before would find them.
mod upgrade;
mod write;
