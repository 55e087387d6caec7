//! Every fault that may befall the program; `docs/reliability.md` is the table that leads here.

mod answers;
mod chaos;
mod disk;
mod kernel;
mod limits;
mod moments;
mod names;
pub(crate) mod network;
mod patience;
mod processes;
mod records;
mod strangers;
