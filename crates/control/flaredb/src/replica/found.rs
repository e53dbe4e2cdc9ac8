//! What a database holds before anybody has put anything in: its roles and schemas.

use std::collections::BTreeSet;

use super::Replica;
use crate::base::catalog::{CatalogChange, FIRST_OID, Role, Schema};
use crate::proto::log::{Ddl, Evaluation, Failure, Guard, Write, write};

/// The role that may do anything, and cannot log in by a password until it is given one.
pub(crate) const SUPERUSER: &str = "postgres";
/// PostgreSQL's OIDs of what every database has.
const SUPERUSER_OID: u32 = 10;
const PUBLIC_OID: u32 = 2200;
/// Where dropped tables are until their time is over.
pub(crate) const TRASH: &str = "trash";
const TRASH_OID: u32 = FIRST_OID - 1;
/// Of which there are few steps.
const BUDGET: u64 = 1_000_000;

impl Replica {
    /// Puts it in, once, whichever replica comes first. `owner`: whose database it is.
    pub(crate) async fn found(self, owner: String) {
        let mut catalog = self.shared.catalog();
        while catalog.borrow_and_update().version == 0 {
            let founding = founding(&self, &owner);
            tokio::select! {
                biased;
                changed = catalog.changed() => if changed.is_err() {
                    return;
                },
                written = self.write(founding) => if let Err(e) = written {
                    tracing::debug!(error = %e, "the database is not founded yet; trying again");
                }
            }
        }
    }
}

fn founding(replica: &Replica, owner: &str) -> Write {
    let mut id = [0; 16];
    replica.context.entropy().fill(&mut id);
    let evaluation = Evaluation { now: 0, seed: replica.context.entropy().next_u64(), zone: String::new() };
    let json = |change| serde_json::to_string(change).expect("strings, numbers and lists always serialise");
    let changes = changes(owner).iter().map(json).collect();
    let ddl = Ddl {
        guards: vec![Guard {
            sql: "SELECT 1 FROM uc_object".to_owned(),
            refusal: Some(Failure { message: "it was founded already".to_owned(), ..Failure::default() }),
        }],
        statements: Vec::new(),
        changes,
        next_oid: FIRST_OID + 1,
    };
    Write {
        id: id.to_vec().into(),
        evaluation: Some(evaluation),
        catalog: 0,
        budget: BUDGET,
        key: String::new(),
        body: Some(write::Body::Ddl(ddl)),
    }
}

fn changes(owner: &str) -> Vec<CatalogChange> {
    let role = |(oid, name): (u32, &str)| {
        let is_superuser = name == SUPERUSER;
        CatalogChange::PutRole(Role {
            oid,
            name: name.to_owned(),
            superuser: is_superuser,
            login: true,
            inherit: true,
            create_role: true,
            create_db: is_superuser,
            verifier: None,
            connection_limit: -1,
            valid_until: None,
            member_of: Vec::new(),
        })
    };
    let schema = |(oid, name): (u32, &str)| {
        CatalogChange::PutSchema(Schema {
            oid,
            name: name.to_owned(),
            owner: owner.to_owned(),
            grants: Vec::new(),
        })
    };
    let roles = BTreeSet::from([(SUPERUSER_OID, SUPERUSER), (owner_oid(owner), owner)]);
    let schemas = [(PUBLIC_OID, "public"), (TRASH_OID, TRASH)];
    roles.into_iter().map(role).chain(schemas.into_iter().map(schema)).collect()
}

fn owner_oid(owner: &str) -> u32 {
    if owner == SUPERUSER { SUPERUSER_OID } else { FIRST_OID }
}
