//! Every fault that may befall the program, and what must be seen all the same: an answer while a
//! token is left, one clear message and no hang when none is. `docs/reliability.md` is the table
//! of promises that leads here.

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
