//! The words for signing keys and for the rules of the mail flow.
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

/// How a new key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlgorithmArg {
    /// RSA of 2048 bits: every receiver can check it
    Rsa,
    /// Ed25519 (RFC 8463): small, and not every receiver can check it
    Ed25519,
}

/// Keys that sign the mail of our domains.
#[derive(Debug, Subcommand)]
pub enum DkimCommand {
    /// A new key that does not sign yet; shows the record to publish
    #[command(
        after_help = "Publish the record, wait until it can be seen, then: posthouse dkim rotate DOMAIN\n\nExample: posthouse dkim add acme.example"
    )]
    Add {
        /// Whose mail it shall sign
        domain: String,
        /// How it signs
        #[arg(long, value_enum, default_value_t = AlgorithmArg::Rsa)]
        algorithm: AlgorithmArg,
        /// Its name in DNS; made from the date if not given
        #[arg(long)]
        selector: Option<String>,
    },
    /// All of them, of one domain or one tenant
    #[command(after_help = "Example: posthouse dkim list acme.example")]
    List {
        /// Only this domain's
        domain: Option<String>,
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<String>,
    },
    /// The next keys of a domain sign from now on, those before are retired, and new next ones are made
    #[command(
        after_help = "Retired keys keep their records until the mail that they signed has arrived (a week), then: posthouse dkim remove\n\nExample: posthouse dkim rotate acme.example"
    )]
    Rotate {
        /// Whose
        domain: String,
        /// Also where a next key is younger than an hour: its record can be seen
        #[arg(long)]
        now: bool,
    },
    /// Away with one; what it has signed can no longer be checked once its record is gone
    #[command(after_help = "Example: posthouse dkim remove acme.example r20260101")]
    Remove {
        /// Whose
        domain: String,
        /// Which one
        selector: String,
    },
    /// The records of a domain's keys, as lines of a zone file
    #[command(after_help = "Example: posthouse dkim dns acme.example")]
    Dns {
        /// Whose
        domain: String,
    },
}

/// For whom a rule holds.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true))]
pub struct ScopeArgs {
    /// For all of a tenant
    #[arg(long, group = "scope", value_name = "NAME")]
    pub tenant: Option<String>,
    /// For a domain
    #[arg(long, group = "scope", value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// For a member or a business mailbox
    #[arg(long, group = "scope", value_name = "ADDRESS")]
    pub account: Option<String>,
    /// For a group
    #[arg(long, group = "scope", value_name = "ADDRESS")]
    pub group: Option<String>,
}

const RULES: &str = "\
Rules (docs/mailflow.md explains them):
  block PATTERN, allow PATTERN      of a tenant or an account; name@domain, domain, or .domain for all below it too
  keyword reject|quarantine TEXT    of a tenant: the subject holds TEXT
  outbound yes|no                   of a tenant or an account: whether mail may leave the tenant
  rate NUMBER/PERIOD                of a tenant or an account: recipients outside for each member, as in 500/1d
  tenant-rate NUMBER/PERIOD         of a tenant: the same for all its members together
  catch-all ADDRESS                 of a domain: who gets mail for unknown addresses
  senders tenant|members|ADDRESS    of a group: who may send to it; several are allowed
  representative ADDRESS            of a group: who may send as it; several are allowed
  forward ADDRESS                   of an account: its mail goes there too; forward-only: and nowhere else
  relay HOST:PORT tls=... user=NAME of a tenant or a domain: its smarthost, with --password-stdin; tls as in the configuration (verified)
  source IP-ADDRESS                 of a tenant or a domain: from where its mail leaves, one for IPv4 and one for IPv6
  messages NUMBER                   of an account: how many it may hold, beside its quota
  pop3 keep|seen|trash N|delete N   of a tenant: what becomes of messages that POP3 has fetched; N: days in INBOX
  admin quotas                      of a member: it may say by IMAP (SETQUOTA) what accounts of its tenant may hold
  away days=7 text=\"...\"           of an account: who writes is answered (easier: posthouse member away)
  sieve \"SCRIPT\"                    of an account: its script (easier: posthouse sieve put)";

/// Rules of the mail flow.
#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    /// A rule from now on; of those that stand once in a place it takes the former one's
    #[command(after_help = format!("{RULES}\n\nExample: posthouse rule add --tenant acme block .spam.example"))]
    Add {
        /// For whom.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Read the password of a relay from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        /// What
        #[arg(required = true)]
        rule: Vec<String>,
    },
    /// Away with one
    #[command(after_help = format!("{RULES}\n\nExample: posthouse rule remove --account carol@acme.example outbound no"))]
    Remove {
        /// For whom.
        #[command(flatten)]
        scope: ScopeArgs,
        /// What
        #[arg(required = true)]
        rule: Vec<String>,
    },
    /// All of them
    #[command(after_help = "Example: posthouse rule list --tenant acme")]
    List {
        /// Only this tenant's and those of its domains, accounts and groups
        #[arg(long)]
        tenant: Option<String>,
        /// Only those that contain this
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        contains: String,
    },
}
