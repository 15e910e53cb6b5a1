//! What each object of kernel programs must have and none uses: the end that no program comes to, and the licence.

/// No program can reach this: the verifier refuses what could. It exists because `core` names it.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The helpers that read kernel memory are open to programs under a licence compatible with the GPL only; a gate and the programs
/// behind it are under the same one.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
