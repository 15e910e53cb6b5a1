//! What the process holds and no longer needs, given back to the machine. The only module of the agent with `unsafe`.

/// Gives back the pages that nothing of the process stands on any more. Loading the kernel programs takes seven times what the agent
/// needs afterwards, and the C library keeps what lies below the last piece in use. Takes a few milliseconds; a C library that does it
/// by itself, or never, is left alone. See <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>.
#[allow(unsafe_code, reason = "the C library offers it to nobody else")]
pub(crate) fn give_back() {
    // SAFETY: it takes no pointer, touches no memory that is in use, and takes the allocator's own locks, so that any thread may call it.
    #[cfg(target_env = "gnu")]
    let _was_any = unsafe { libc::malloc_trim(0) };
}
