//! What documents are called: by id, by name, by title.
//!
//! Takes documents as they are built; answers which one a correlation or a filter means. A word that means two is an
//! error, never a guess.

use std::collections::BTreeMap;

use crate::correlate::Target;
use crate::syntax::Header;

/// All names.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeMap<String, Target>,
    /// By name and by title, each with everything of that name.
    called: BTreeMap<String, Vec<Target>>,
    titles: BTreeMap<String, Vec<Target>>,
}

impl Names {
    /// What has that id.
    pub(super) fn by_id(&self, id: &str) -> Option<Target> {
        self.ids.get(id).copied()
    }

    /// Remembers what a rule or a correlation is called.
    pub(super) fn add(&mut self, target: Target, id: &str, header: &Header) {
        self.ids.insert(id.to_owned(), target);
        let mut remember = |name: &str, by: fn(&mut Self) -> &mut BTreeMap<String, Vec<Target>>| {
            let all = by(self).entry(name.to_owned()).or_default();
            if !all.contains(&target) {
                all.push(target);
            }
        };
        if let Some((_, name)) = &header.name {
            remember(name, |names| &mut names.called);
        }
        if let Some(title) = &header.title {
            remember(title, |names| &mut names.titles);
        }
    }

    /// What a word means: an id before a name, a name before a title, which public collections use as well.
    pub(super) fn find(&self, word: &str) -> Result<Target, String> {
        // What has no id is known by its title, which is looked for last.
        if let Some(target) = self.ids.get(&word.to_ascii_lowercase()).filter(|_| super::uuid(word)) {
            return Ok(*target);
        }
        match self.called.get(word).or_else(|| self.titles.get(word)).map(Vec::as_slice) {
            Some([target]) => Ok(*target),
            Some(several) => Err(format!("`{word}` is the name of {} rules: refer to one by its id", several.len())),
            None => Err(format!("no rule has `{word}` for its id, name or title")),
        }
    }
}
