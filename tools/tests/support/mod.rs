//! Runs the real binary in a directory of its own: commands to their end, servers until the test lets them go.
#![allow(dead_code, reason = "each test file uses a part")]
pub mod corpus;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program under test.
pub const POSTHOUSE: &str = env!("CARGO_BIN_EXE_posthouse");

/// An argon2 hash of "secret" that costs next to nothing to make or check.
pub const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM0$mS1Rjt2ZJJhX1ci1zAywaylWVPqAkvWBq0ZLsaxPgbQ";

/// A data directory and a configuration with free ports, gone with the test.
pub struct House {
    directory: tempfile::TempDir,
}

/// What a command said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    /// It went well; its standard output.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// It ended with `code` and said `words` on standard error.
    #[track_caller]
    pub fn refused(self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "{words:?} expected in {:?}", self.err);
    }
}

impl House {
    pub fn new() -> House {
        let house = House { directory: tempfile::tempdir().expect("a directory") };
        let names =
            ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "admin", "autoconfig"];
        let listen: String = names.iter().map(|name| format!("{name} = [\"127.0.0.1:0\"]\n")).collect();
        std::fs::write(house.config(), format!("data = \"data\"\n[outbound]\nenabled = false\n[listen]\n{listen}"))
            .expect("written");
        house
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn config(&self) -> PathBuf {
        self.path().join("posthouse.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(POSTHOUSE);
        command.args(arguments).arg("--config").arg(self.config());
        command.env_remove("POSTHOUSE_DATA").env_remove("POSTHOUSE_CONFIG");
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().expect("started").into()
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        child.wait_with_output().expect("ended").into()
    }

    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        serde_json::from_str(&self.run(&all).ok()).expect("JSON")
    }

    /// A server that has said `ready`.
    pub fn serve(&self, more: &[&str]) -> Serving {
        let log = std::fs::File::create(self.path().join("log")).expect("a log");
        let mut arguments = vec!["serve"];
        arguments.extend(more);
        let mut command = self.command(&arguments);
        let child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("started");
        let mut serving = Serving { child, said: String::new() };
        let mut lines = BufReader::new(serving.child.stdout.take().expect("a pipe"));
        loop {
            let before = serving.said.len();
            let got = lines.read_line(&mut serving.said).expect("UTF-8");
            assert_ne!(got, 0, "it ended before it was ready:\n{}{}", serving.said, self.log());
            if &serving.said[before..] == "ready\n" {
                return serving;
            }
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }
}

/// A running server.
pub struct Serving {
    child: Child,
    /// What it printed until `ready`.
    pub said: String,
}

impl Serving {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(done.expect("kill").success());
    }

    /// SIGTERM; the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().expect("ended").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a program is installed.
pub fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
