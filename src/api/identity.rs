//! Who is calling: the tenant whose jobs and volumes a call may see, and what it may do with them.

use http::Extensions;
use tonic::{Code, Status};

use super::status::refused;

/// The tenant of all callers where no identities are configured.
pub const DEFAULT_TENANT: &str = "default";

/// What a caller may do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads its tenant's jobs and volumes.
    Read,
    /// Uploads, computes, cancels and deletes.
    Submit,
    /// Manages the jobs of every tenant; reads no volume of another's.
    Admin,
}

impl Role {
    /// Its name in identities, tokens and errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Admin => "admin",
        }
    }

    /// The role of a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Submit, Self::Admin].into_iter().find(|role| role.name() == name)
    }
}

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose volumes and jobs it works with.
    pub tenant: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Its name in the audit log.
    pub name: String,
    /// Where it calls from, for the audit log.
    pub peer: String,
}

impl Default for Caller {
    /// The caller where no identities are configured.
    fn default() -> Self {
        let name = DEFAULT_TENANT.to_owned();
        Self { tenant: name.clone(), roles: vec![Role::Admin], name, peer: String::new() }
    }
}

impl Caller {
    /// Whether it may do what a role may.
    pub fn has(&self, role: Role) -> bool {
        self.roles.iter().any(|own| *own >= role)
    }

    /// Demands a role.
    ///
    /// # Errors
    /// PERMISSION_DENIED with the reason `ROLE_MISSING` and the role.
    pub fn require(&self, role: Role) -> Result<(), Status> {
        if self.has(role) {
            return Ok(());
        }
        let message = format!("the caller needs the role {}", role.name());
        Err(refused(Code::PermissionDenied, "ROLE_MISSING", message, [("role", role.name().to_owned())]))
    }
}

/// Who makes a call, by what the server put beside its message; the default caller if there is nothing.
pub fn caller_of(extensions: &Extensions) -> Caller {
    extensions.get::<Caller>().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn a_role_includes_those_before_it_and_a_missing_one_is_named() {
        let caller = Caller { roles: vec![Role::Submit], ..Caller::default() };
        assert!(caller.require(Role::Read).is_ok() && caller.require(Role::Submit).is_ok());
        let refused = caller.require(Role::Admin).expect_err("it is no administrator");
        let info = refused.get_details_error_info().expect("a reason");
        assert_eq!((info.reason.as_str(), info.metadata["role"].as_str()), ("ROLE_MISSING", "admin"));
        assert!(Caller { roles: Vec::new(), ..Caller::default() }.require(Role::Read).is_err());
        assert!(caller_of(&Extensions::new()).has(Role::Admin));
    }
}
