//! Gives up root at the start: whoever is started as root with `user` set goes on as that user, before any thread and any file, and keeps of
//! root's rights only that of listening on ports below 1024. Knows no other way to a right.
use crate::ops::{Failure, Kind};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use std::path::Path;

/// Where users are told of.
const USERS: &str = "/etc/passwd";

/// Who to be.
#[derive(Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

/// Becomes `user`, if there is one and we are root; a data directory that is not there yet is made for it.
pub(super) fn give_up(user: &str, data: &Path) -> Result<(), Failure> {
    if user.is_empty() || !geteuid().is_root() {
        return Ok(());
    }
    let users = std::fs::read_to_string(USERS).map_err(|error| Failure::io(USERS, &error))?;
    let found = find(&users, user)?;
    make_for(&found, data).map_err(|error| Failure::io(&data.display().to_string(), &error))?;
    become_user(&found)
        .map_err(|error| Failure::new(Kind::Failed, format!("root cannot become user {user:?}: {error}")))
}

/// The kernel counts identities by thread, and the others begin with those of this one: none may run yet.
fn become_user(user: &User) -> std::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_keep_capabilities(true)?;
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let bind = CapabilitySet::NET_BIND_SERVICE;
    set_capabilities(None, CapabilitySets { effective: bind, permitted: bind, inheritable: CapabilitySet::empty() })?;
    set_keep_capabilities(false)?;
    set_no_new_privs(true)?;
    // What has not worked must not go on as root.
    assert!(!geteuid().is_root() && set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_err(), "root is given up");
    Ok(())
}

fn make_for(user: &User, data: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, chown};
    if data.exists() {
        return Ok(());
    }
    std::fs::DirBuilder::new().mode(0o700).create(data)?;
    chown(data, Some(user.uid), Some(user.gid))
}

/// The line of `users` (passwd(5)) for a name.
fn find(users: &str, name: &str) -> Result<User, Failure> {
    let refused = |text: String| Err(Failure::new(Kind::Refused, text));
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let Some(line) = lines.find(|fields| fields.first() == Some(&name)) else {
        return refused(format!(
            "user: {name:?} is not in {USERS}; useradd --system --no-create-home --shell /usr/sbin/nologin {name} makes it"
        ));
    };
    let number =
        |at: usize| line.get(at).and_then(|field| field.parse::<u32>().ok()).filter(|number| *number != u32::MAX);
    match (number(2), number(3)) {
        (Some(0), _) | (_, Some(0)) => {
            refused(format!("user: {name:?} is root itself, or in its group; allowed: a user without rights"))
        }
        (Some(uid), Some(gid)) => Ok(User { uid, gid }),
        _ => refused(format!("user: the line of {name:?} in {USERS} has no numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nmail:x:8:12:mail:/var/mail:/bin/false\ntoor:x:0:8::/:\nstaff:x:50:0::/:\nodd:x:a:8::/:\nmailer:x:9:9::/:\n";

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        assert_eq!(find(PASSWD, "mail").expect("there"), User { uid: 8, gid: 12 });
        assert_eq!(find(PASSWD, "mailer").expect("there"), User { uid: 9, gid: 9 });
    }

    #[test]
    fn who_is_nobody_or_root_is_refused() {
        for (name, words) in [
            ("mai", "useradd --system"),
            ("root", "is root itself"),
            ("toor", "is root itself"),
            ("staff", "in its group"),
            ("odd", "has no numbers"),
        ] {
            let failure = find(PASSWD, name).expect_err(name);
            assert!(failure.text.contains(words), "{}", failure.text);
        }
    }
}
