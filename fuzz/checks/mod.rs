//! What must hold for any bytes from outside, one reader each.

pub mod record;
pub mod reply;
pub mod request;
