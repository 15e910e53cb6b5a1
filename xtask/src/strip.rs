//! An object of kernel programs without what only a debugger reads. The compiler has to write it, because the linker makes the kernel's
//! own kind of types (BTF) out of it; the loader would carry it along, five times what it needs. Takes and gives an ELF file's bytes.

use anyhow::{Context, Result};
use object::build::elf::{Builder, SectionData};
use object::elf;

/// How the names of a debugger's sections begin, and of those that say what moves in them.
const DEBUG: [&[u8]; 2] = [b".debug_", b".rel.debug_"];

/// Leaves out a debugger's sections and what moves things in them; everything else stays as it is.
pub(crate) fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read64(object).context("read the object")?;
    for section in &mut builder.sections {
        section.delete |= DEBUG.iter().any(|begin| section.name.starts_with(begin));
    }
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

#[cfg(test)]
mod tests {
    use object::Endianness;
    use object::build::elf::{Builder, SectionData};
    use object::elf;

    use super::strip;

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

    #[test]
    fn what_is_no_object_is_refused() {
        strip(b"no object").expect_err("nothing to strip");
    }
}
