//! The perchd program.

fn main() {}
