//! The stories: one sentence a file, told with a real agent, a real kernel, real containers and a real collector. A machine that cannot
//! tell one says `skipped: <what is missing>`.

mod the_stage_is_set;
