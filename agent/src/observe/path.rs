//! Paths as processes name them, made whole: joined to the directory where relative, without `.`, `..` and double slashes.
//!
//! Takes bytes, gives bytes; by the words alone, so a `..` behind a link is read as if the link were a folder. Never reads
//! a file.

/// The path of `name`, from `directory` where it is relative. Without a directory a relative name stays as it is.
pub fn resolve(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if name.first() != Some(&b'/') && directory.first() != Some(&b'/') {
        return name.to_vec();
    }
    let mut whole = Vec::with_capacity(directory.len() + name.len() + 1);
    if name.first() != Some(&b'/') {
        push(&mut whole, directory);
    }
    push(&mut whole, name);
    if whole.is_empty() {
        whole.push(b'/');
    }
    whole
}

fn push(whole: &mut Vec<u8>, path: &[u8]) {
    for component in path.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                let end = whole.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                whole.truncate(end);
            }
            _ => {
                whole.push(b'/');
                whole.extend_from_slice(component);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(directory: &str, name: &str) -> String {
        String::from_utf8_lossy(&resolve(directory.as_bytes(), name.as_bytes())).into_owned()
    }

    #[test]
    fn a_relative_name_starts_at_the_directory() {
        assert_eq!(check("/srv/app", "x"), "/srv/app/x");
        assert_eq!(check("/srv/app", "../x"), "/srv/x");
        assert_eq!(check("/srv/app", "./a/./b//c"), "/srv/app/a/b/c");
        assert_eq!(check("/", "x"), "/x");
    }

    #[test]
    fn an_absolute_name_is_made_plain() {
        assert_eq!(check("/srv", "/etc/./../etc//shadow"), "/etc/shadow");
        assert_eq!(check("/srv", "/../.."), "/");
        assert_eq!(check("", "/a/"), "/a");
    }

    #[test]
    fn a_relative_name_of_an_unknown_directory_stays_relative() {
        assert_eq!(check("", "../x"), "../x");
    }
}
