//! Kernel memory by plain loads. Since 6.17 the kernel's function `bpf_rdonly_cast` takes an address for one that is only read, whatever
//! stands there, and guards the loads from it; before, each read is a call. Takes the object's bytes; gives them with that function in
//! the place of what the programs call.

use ebpf_common::config::CAST;

use super::btf::Types;

const FUNCTION: &str = "bpf_rdonly_cast";
/// The first release whose function takes memory of no type.
const SINCE: (u32, u32) = (6, 17);

/// An instruction: the call of a helper; of a function of the kernel; the copy of the first argument to the answer.
const CALL: u64 = 0x85;
const CALL_OF_KERNEL: u64 = 0x2085;
const FIRST_IS_ANSWER: u64 = 0x10bf;

/// The number of the function, where this kernel has it as it is needed.
pub(super) fn function(kernel: &Types<'_>) -> Option<u32> {
    let names = nix::sys::utsname::uname().ok()?;
    if release(names.release().to_str()?)? < SINCE { None } else { kernel.function(FUNCTION) }
}

/// The first two numbers of a release.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The object for this kernel, in words, as the loader wants it aligned; zeros may follow.
pub(super) fn object(object: &[u8], cast: Option<u32>) -> Vec<u64> {
    let called = u64::from(CAST) << 32 | CALL;
    let here = cast.map_or(FIRST_IS_ANSWER, |function| u64::from(function) << 32 | CALL_OF_KERNEL);
    let (words, rest) = object.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
    words.map(|word| if word == called { here } else { word }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETURN: u64 = 0x95;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn what_the_programs_call_becomes_the_kernels_function_or_nothing() {
        let built = bytes(&[RETURN, u64::from(CAST) << 32 | CALL, RETURN]);
        assert_eq!(object(&built, Some(7))[..3], [RETURN, 7 << 32 | CALL_OF_KERNEL, RETURN]);
        assert_eq!(object(&built, None)[..3], [RETURN, FIRST_IS_ANSWER, RETURN]);
    }

    #[test]
    fn bytes_behind_the_last_word_stay() {
        assert_eq!(object(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 3], None), [1, 0x0302]);
    }

    #[test]
    fn the_object_has_such_calls_and_none_is_left() {
        let built = super::super::load::OBJECT;
        let called = u64::from(CAST) << 32 | CALL;
        let count = |words: &[u64]| words.iter().filter(|word| **word == called).count();
        let (words, _) = built.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        assert_ne!(count(&words), 0);
        assert_eq!(count(&object(built, Some(1))), 0);
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        let releases = ["6.18.44-fc-v669", "6.9.1", "10.0-rc1", "6.17", "odd", ""].map(release);
        assert_eq!(
            releases.map(|release| release.is_some_and(|release| release >= SINCE)),
            [true, false, true, true, false, false]
        );
    }
}
