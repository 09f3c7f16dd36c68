//! Holds the command line to its promises: an example on each command that really parses, and no password among the arguments.
use super::Cli;
use clap::{CommandFactory, Parser};

fn leaves(command: &clap::Command, out: &mut Vec<clap::Command>) {
    let inner: Vec<_> = command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
    if inner.is_empty() {
        out.push(command.clone());
    }
    inner.into_iter().for_each(|inner| leaves(inner, out));
}

fn all() -> Vec<clap::Command> {
    let mut command = Cli::command();
    command.build();
    let mut out = Vec::new();
    leaves(&command, &mut out);
    out
}

/// Splits as a shell would, as far as the examples need it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, piece) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_declaration_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_an_example_that_parses() {
    let all = all();
    assert!(all.len() >= 30, "{}", all.len());
    for command in all {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.split("Example: ").nth(1).unwrap_or_else(|| panic!("{}: no example", command.get_name()));
        let line = &example[example.find("posthouse").expect("the program's name")..];
        let parsed = Cli::try_parse_from(words(line));
        assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|e| e.to_string()).unwrap_or_default());
        assert!(line.contains(command.get_name()), "{line} is not an example of {}", command.get_name());
    }
}

#[test]
fn no_argument_takes_a_plain_password() {
    for command in all() {
        for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
            let name = argument.get_id().as_str();
            assert!(!name.contains("password") || name == "password_hash", "{} takes {name}", command.get_name());
        }
    }
}

#[test]
fn settings_are_allowed_before_and_behind_the_command() {
    for line in [["posthouse", "--data", "d", "status"], ["posthouse", "status", "--data", "d"]] {
        let cli = Cli::try_parse_from(line).expect("allowed");
        assert_eq!(cli.global.data.as_deref(), Some(std::path::Path::new("d")));
    }
}

#[test]
fn the_commands_in_the_readme_parse() {
    let readme = include_str!("../../../README.md");
    let lines: Vec<&str> = readme.lines().filter(|line| line.starts_with("    posthouse ")).collect();
    assert!(lines.len() >= 10, "{lines:?}");
    for line in lines {
        let command = line.split('#').next().unwrap_or(line);
        let parsed = Cli::try_parse_from(words(command));
        assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|e| e.to_string()).unwrap_or_default());
    }
}
