//! An object of kernel programs without what only a debugger reads. The compiler has to write it, because the linker makes the kernel's
//! own kind of types (BTF) out of it; the loader would carry it along, ten times what it needs. Takes and gives an ELF file's bytes.
//!
//! The lines of the source, which the kernel would quote where it refuses a program, go as well: two thirds of what is left without them.

use anyhow::{Context, Result};
use object::build::elf::{Builder, SectionData};
use object::elf;

/// How the names of a debugger's sections begin, and of those that say what moves in them.
const DEBUG: [&[u8]; 2] = [b".debug_", b".rel.debug_"];
/// What the kernel is told of functions and of lines, and what moves in it.
const FUNCTIONS_AND_LINES: &[u8] = b".BTF.ext";
const MOVED: &[u8] = b".rel.BTF.ext";

/// Leaves out a debugger's sections and what moves things in them; everything else stays as it is.
pub(crate) fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read64(object).context("read the object")?;
    for section in &mut builder.sections {
        section.delete |= DEBUG.iter().any(|begin| section.name.starts_with(begin));
    }
    without_lines(&mut builder)?;
    builder.delete_orphans();
    // The linker keeps the sections' names among the symbols'; the writer wants them apart.
    if !builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        let names = builder.sections.add();
        names.name = ".shstrtab".into();
        names.sh_type = elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
    builder.set_section_sizes();
    let mut stripped = Vec::new();
    builder.write(&mut stripped).context("write the object")?;
    Ok(stripped)
}

/// Cuts the lines off, which stand behind the functions.
fn without_lines(builder: &mut Builder<'_>) -> Result<()> {
    let mut end = None;
    for section in &mut builder.sections {
        if section.name.as_slice() == FUNCTIONS_AND_LINES
            && let SectionData::Data(bytes) = &mut section.data
        {
            let bytes = bytes.to_mut();
            end = Some(cut(bytes).context("the section of functions and lines is not what it was")?);
        }
    }
    let Some(end) = end else { return Ok(()) };
    for section in builder.sections.iter_mut().filter(|section| section.name.as_slice() == MOVED) {
        if let SectionData::Relocation(moved) = &mut section.data {
            moved.retain(|moved| moved.r_offset < end as u64);
        }
    }
    Ok(())
}

/// Leaves the functions, and gives the length. <https://docs.kernel.org/bpf/btf.html#btf-ext-section>
fn cut(bytes: &mut Vec<u8>) -> Option<usize> {
    const HEADER: usize = 4;
    const FUNCTIONS: usize = 12;
    const LINES: usize = 16;
    const MOVES: usize = 24;
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let (header, functions) = (word(HEADER)?, word(FUNCTIONS)?);
    // The third table, of what moves with the kernel's types, is empty here.
    if word(LINES)? != functions || (header >= 32 && word(MOVES + 4)? != 0) {
        return None;
    }
    let words = [(LINES + 4, 0), (MOVES, functions)];
    for (at, value) in words.into_iter().filter(|(at, _)| *at < header as usize) {
        bytes.get_mut(at..at + 4)?.copy_from_slice(&u32::to_le_bytes(value));
    }
    let end = (header + functions) as usize;
    bytes.truncate(end);
    Some(end)
}

#[cfg(test)]
mod tests {
    use object::Endianness;
    use object::build::elf::{Builder, SectionData};
    use object::elf;

    use super::{cut, strip};

    #[test]
    fn a_debuggers_sections_go_and_the_kernels_types_stay() {
        let mut builder = Builder::new(Endianness::Little, true);
        for name in ["license", ".BTF", ".debug_info", ".debug_line"] {
            let section = builder.sections.add();
            section.name = name.into();
            section.sh_type = elf::SHT_PROGBITS;
            section.data = SectionData::Data(b"bytes"[..].into());
        }
        let names = builder.sections.add();
        (names.name, names.sh_type, names.data) = (".shstrtab".into(), elf::SHT_STRTAB, SectionData::SectionString);
        builder.set_section_sizes();
        let mut object = Vec::new();
        builder.write(&mut object).expect("a small object");
        let stripped = strip(&object).expect("an object");
        let stripped = Builder::read64(&stripped[..]).expect("an object still");
        let left: Vec<_> = stripped.sections.iter().map(|section| section.name.to_string()).collect();
        assert_eq!(left, ["license", ".BTF", ".shstrtab"]);
    }

    /// Functions of eight bytes, lines of four, nothing that moves.
    fn functions_and_lines(moves: u32) -> Vec<u8> {
        let header = [0x0001_eb9f, 32, 0, 8, 8, 4, 12, moves];
        let tables = [8, 1, 2];
        header.iter().chain(&tables).flat_map(|word: &u32| word.to_le_bytes()).collect()
    }

    #[test]
    fn lines_go_and_functions_stay() {
        let mut bytes = functions_and_lines(0);
        assert_eq!(cut(&mut bytes), Some(40));
        let words: Vec<_> =
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        assert_eq!(words, [0x0001_eb9f, 32, 0, 8, 8, 0, 8, 0, 8, 1]);
    }

    #[test]
    fn a_section_that_moves_with_the_kernels_types_is_not_cut() {
        assert_eq!(cut(&mut functions_and_lines(4)), None);
        assert_eq!(cut(&mut vec![0; 8]), None);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        strip(b"no object").expect_err("nothing to strip");
    }
}
