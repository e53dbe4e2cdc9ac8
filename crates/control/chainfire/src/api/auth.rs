//! Auth: users, roles, permissions, and logging in. What a change means is the model's; this side hashes
//! passwords before anything is replicated, and finds out who asks.

use std::future::Future;

use bytes::Bytes;
use kit::server::Peer;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, async_trait};

use super::{Api, CALLER, OnLearner, unexpected};
use crate::auth::{AuthRefusal, Caller, Credentials, Guard, Need, PasswordError, ROOT, index_of, mint, need};
use crate::convert::Rejection;
use crate::proto::authpb::Permission;
use crate::proto::authpb::permission::Type as Access;
use crate::proto::etcdserverpb::auth_server::Auth;
use crate::proto::etcdserverpb::{
    AuthDisableRequest, AuthDisableResponse, AuthEnableRequest, AuthEnableResponse, AuthRoleAddRequest,
    AuthRoleAddResponse, AuthRoleDeleteRequest, AuthRoleDeleteResponse, AuthRoleGetRequest,
    AuthRoleGetResponse, AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse,
    AuthRoleListRequest, AuthRoleListResponse, AuthRoleRevokePermissionRequest,
    AuthRoleRevokePermissionResponse, AuthStatusRequest, AuthStatusResponse, AuthUserAddRequest,
    AuthUserAddResponse, AuthUserChangePasswordRequest, AuthUserChangePasswordResponse,
    AuthUserDeleteRequest, AuthUserDeleteResponse, AuthUserGetRequest, AuthUserGetResponse,
    AuthUserGrantRoleRequest, AuthUserGrantRoleResponse, AuthUserListRequest, AuthUserListResponse,
    AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse, AuthenticateRequest, AuthenticateResponse,
};
use crate::proto::internal::auth_command::Change;
use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{AuthCommand, AuthDone, Login};

/// Where a client puts its token, and where an HTTP gateway does.
const TOKEN: [&str; 2] = ["token", "authorization"];
/// Set by an HTTP gateway, whose certificate is nobody's name.
const GATEWAY: &str = "grpcgateway-accept";
/// How often a login begins anew because users or roles changed meanwhile.
const ATTEMPTS: usize = 8;

#[async_trait]
impl Auth for Api {
    async fn auth_enable(
        &self,
        request: Request<AuthEnableRequest>,
    ) -> Result<Response<AuthEnableResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::Enable(message)).await?;
            Ok(AuthEnableResponse { header: self.header() })
        };
        self.unary("AuthEnable", OnLearner::Refuse, request, serve).await
    }

    async fn auth_disable(
        &self,
        request: Request<AuthDisableRequest>,
    ) -> Result<Response<AuthDisableResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::Disable(message)).await?;
            Ok(AuthDisableResponse { header: self.header() })
        };
        self.unary("AuthDisable", OnLearner::Refuse, request, serve).await
    }

    async fn user_delete(
        &self,
        request: Request<AuthUserDeleteRequest>,
    ) -> Result<Response<AuthUserDeleteResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::UserDelete(message)).await?;
            Ok(AuthUserDeleteResponse { header: self.header() })
        };
        self.unary("UserDelete", OnLearner::Refuse, request, serve).await
    }

    async fn user_grant_role(
        &self,
        request: Request<AuthUserGrantRoleRequest>,
    ) -> Result<Response<AuthUserGrantRoleResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::UserGrantRole(message)).await?;
            Ok(AuthUserGrantRoleResponse { header: self.header() })
        };
        self.unary("UserGrantRole", OnLearner::Refuse, request, serve).await
    }

    async fn user_revoke_role(
        &self,
        request: Request<AuthUserRevokeRoleRequest>,
    ) -> Result<Response<AuthUserRevokeRoleResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::UserRevokeRole(message)).await?;
            Ok(AuthUserRevokeRoleResponse { header: self.header() })
        };
        self.unary("UserRevokeRole", OnLearner::Refuse, request, serve).await
    }

    async fn role_add(
        &self,
        request: Request<AuthRoleAddRequest>,
    ) -> Result<Response<AuthRoleAddResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::RoleAdd(message)).await?;
            Ok(AuthRoleAddResponse { header: self.header() })
        };
        self.unary("RoleAdd", OnLearner::Refuse, request, serve).await
    }

    async fn role_delete(
        &self,
        request: Request<AuthRoleDeleteRequest>,
    ) -> Result<Response<AuthRoleDeleteResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::RoleDelete(message)).await?;
            Ok(AuthRoleDeleteResponse { header: self.header() })
        };
        self.unary("RoleDelete", OnLearner::Refuse, request, serve).await
    }

    async fn role_grant_permission(
        &self,
        request: Request<AuthRoleGrantPermissionRequest>,
    ) -> Result<Response<AuthRoleGrantPermissionResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::RoleGrantPermission(message)).await?;
            Ok(AuthRoleGrantPermissionResponse { header: self.header() })
        };
        self.unary("RoleGrantPermission", OnLearner::Refuse, request, serve).await
    }

    async fn role_revoke_permission(
        &self,
        request: Request<AuthRoleRevokePermissionRequest>,
    ) -> Result<Response<AuthRoleRevokePermissionResponse>, Status> {
        let serve = async |message| {
            self.replicate(Change::RoleRevokePermission(message)).await?;
            Ok(AuthRoleRevokePermissionResponse { header: self.header() })
        };
        self.unary("RoleRevokePermission", OnLearner::Refuse, request, serve).await
    }

    async fn auth_status(
        &self,
        request: Request<AuthStatusRequest>,
    ) -> Result<Response<AuthStatusResponse>, Status> {
        self.unary("AuthStatus", OnLearner::Refuse, request, |_| self.serve_auth_status()).await
    }

    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        self.unary("Authenticate", OnLearner::Refuse, request, |message| self.serve_login(message)).await
    }

    async fn user_add(
        &self,
        request: Request<AuthUserAddRequest>,
    ) -> Result<Response<AuthUserAddResponse>, Status> {
        self.unary("UserAdd", OnLearner::Refuse, request, |message| self.serve_user_add(message)).await
    }

    async fn user_change_password(
        &self,
        request: Request<AuthUserChangePasswordRequest>,
    ) -> Result<Response<AuthUserChangePasswordResponse>, Status> {
        self.unary("UserChangePassword", OnLearner::Refuse, request, |message| {
            self.serve_change_password(message)
        })
        .await
    }

    async fn user_get(
        &self,
        request: Request<AuthUserGetRequest>,
    ) -> Result<Response<AuthUserGetResponse>, Status> {
        self.unary("UserGet", OnLearner::Refuse, request, |message| self.serve_user_get(message)).await
    }

    async fn user_list(
        &self,
        request: Request<AuthUserListRequest>,
    ) -> Result<Response<AuthUserListResponse>, Status> {
        self.unary("UserList", OnLearner::Refuse, request, |_| self.serve_user_list()).await
    }

    async fn role_get(
        &self,
        request: Request<AuthRoleGetRequest>,
    ) -> Result<Response<AuthRoleGetResponse>, Status> {
        self.unary("RoleGet", OnLearner::Refuse, request, |message| self.serve_role_get(message)).await
    }

    async fn role_list(
        &self,
        request: Request<AuthRoleListRequest>,
    ) -> Result<Response<AuthRoleListResponse>, Status> {
        self.unary("RoleList", OnLearner::Refuse, request, |_| self.serve_role_list()).await
    }
}

impl Api {
    /// Finds out who sends a request, if anybody in particular. Asks nothing while auth is disabled.
    pub(super) async fn identify(
        &self,
        metadata: &MetadataMap,
        peer: Option<&Peer>,
    ) -> Result<Option<Caller>, Rejection> {
        if !self.authority.accounts().enabled {
            return Ok(None);
        }
        if let Some(token) = TOKEN.iter().find_map(|name| metadata.get(*name)) {
            let token = token.to_str().map_err(|_| AuthRefusal::InvalidToken)?;
            return Ok(Some(self.caller_of(token).await?));
        }
        if !self.certificate_users || metadata.contains_key(GATEWAY) {
            return Ok(None);
        }
        let name = peer.and_then(|peer| peer.common_name.clone());
        Ok(name.map(|user| Caller { user, revision: None }))
    }

    async fn caller_of(&self, token: &str) -> Result<Caller, Rejection> {
        if let Some(jwt) = &self.jwt {
            return Ok(jwt.verify(token, self.context.clock().unix()).ok_or(AuthRefusal::InvalidToken)?);
        }
        let mut user = self.authority.user_of(token);
        // The login may have been answered by another member before this one has applied it.
        if user.is_none() && index_of(token).is_some_and(|index| index > *self.group.applied().borrow()) {
            self.barrier().await?;
            user = self.authority.user_of(token);
        }
        let user = user.ok_or(AuthRefusal::InvalidToken)?;
        Ok(Caller { user, revision: None })
    }

    /// Does something in a caller's name, if the method is open to it.
    pub(super) async fn on_behalf<T>(
        &self,
        method: &'static str,
        metadata: &MetadataMap,
        peer: Option<&Peer>,
        serve: impl Future<Output = Result<T, Rejection>>,
    ) -> Result<T, Rejection> {
        let need = need(method);
        if need == Need::Nothing {
            return serve.await;
        }
        let caller = self.identify(metadata, peer).await?;
        self.guarded(caller.as_ref(), |guard| guard.method(need))?;
        CALLER.scope(caller, serve).await
    }

    /// Asks one question about a caller.
    pub(super) fn guarded<T, E: Into<Rejection>>(
        &self,
        caller: Option<&Caller>,
        ask: impl FnOnce(&Guard<'_>) -> Result<T, E>,
    ) -> Result<T, Rejection> {
        let accounts = self.authority.accounts();
        let who = Caller::credentials(caller, &accounts);
        ask(&Guard::new(&accounts, &who)).map_err(Into::into)
    }

    /// Who the present request is from, for a command.
    pub(super) fn credentials(&self) -> Credentials {
        let accounts = self.authority.accounts();
        if !accounts.enabled {
            return Credentials::default();
        }
        caller(|caller| Caller::credentials(caller, &accounts))
    }

    /// Reads what the caller may read. If users or roles change meanwhile, the answer is not given.
    pub(super) async fn read_as_permitted<T>(
        &self,
        ask: impl FnOnce(&Guard<'_>) -> Result<(), Rejection>,
        read: impl Future<Output = Result<T, Rejection>>,
    ) -> Result<T, Rejection> {
        let before = self.authority.accounts();
        let who = caller(|caller| Caller::credentials(caller, &before));
        ask(&Guard::new(&before, &who))?;
        let answer = read.await?;
        let after = self.authority.accounts();
        if before.enabled && before.revision != after.revision {
            return Err(AuthRefusal::OldRevision.into());
        }
        Ok(answer)
    }

    /// The keys attached to a lease, if it matters who may touch them.
    pub(super) async fn guarded_keys(&self, lease: i64) -> Result<Vec<Bytes>, Rejection> {
        if !self.authority.accounts().enabled {
            return Ok(Vec::new());
        }
        let store = self.store.clone();
        Ok(self.blocking(move || store.attached(lease)).await??)
    }

    /// Whether a lease may be prolonged: whoever may write all its keys may.
    pub(super) async fn may_keep_alive(&self, caller: Option<&Caller>, lease: i64) -> Result<(), Rejection> {
        if !self.authority.accounts().enabled {
            return Ok(());
        }
        let keys = self.guarded_keys(lease).await?;
        self.guarded(caller, |guard| guard.user().and_then(|()| guard.write_all(&keys)))
    }

    async fn replicate(&self, change: Change) -> Result<AuthDone, Rejection> {
        let command = Operation::Auth(AuthCommand { change: Some(change) });
        match self.propose(command).await? {
            Outcome::Auth(done) => Ok(done),
            _ => Err(unexpected()),
        }
    }

    async fn serve_auth_status(&self) -> Result<AuthStatusResponse, Rejection> {
        self.barrier().await?;
        let accounts = self.authority.accounts();
        let (enabled, auth_revision) = (accounts.enabled, accounts.revision);
        Ok(AuthStatusResponse { header: self.header(), enabled, auth_revision })
    }

    /// Compares the password, then has the login replicated, and begins anew if it may have changed between.
    async fn serve_login(&self, request: AuthenticateRequest) -> Result<AuthenticateResponse, Rejection> {
        self.barrier().await?;
        let outcome = self.log_in(&request).await;
        self.metrics.login(outcome.is_ok());
        if let Err(rejection) = &outcome {
            tracing::info!(user = request.name, why = rejection.text(), "a login was refused");
        }
        Ok(AuthenticateResponse { header: self.header(), token: outcome? })
    }

    async fn log_in(&self, request: &AuthenticateRequest) -> Result<String, Rejection> {
        for _ in 0..ATTEMPTS {
            let revision = self.check_password(request).await?;
            let (prefix, digest) = match &self.jwt {
                Some(_) => Default::default(),
                None => mint(&self.context),
            };
            let at = u64::try_from(self.context.clock().unix().as_millis()).unwrap_or(u64::MAX);
            let login = Login { name: request.name.clone(), token: digest.into(), at };
            let done = self.replicate(Change::Login(login)).await?;
            if done.revision != revision {
                continue;
            }
            return Ok(match &self.jwt {
                Some(jwt) => jwt.sign(&request.name, revision, self.context.clock().unix())?,
                None => format!("{prefix}.{}", done.index),
            });
        }
        Err(AuthRefusal::OldRevision.into())
    }

    /// Gives the revision of the permissions under which it was right.
    async fn check_password(&self, request: &AuthenticateRequest) -> Result<u64, Rejection> {
        let accounts = self.authority.accounts();
        if !accounts.enabled {
            return Err(AuthRefusal::NotEnabled.into());
        }
        let user = accounts.user(&request.name);
        if user.is_some_and(|user| user.no_password) {
            return Err(AuthRefusal::NoPasswordUser.into());
        }
        let hash = user.map(|user| user.password.to_vec());
        match self.passwords.is_right(request.password.clone(), hash).await? {
            true => Ok(accounts.revision),
            false => Err(AuthRefusal::AuthFailed.into()),
        }
    }

    async fn serve_user_add(&self, request: AuthUserAddRequest) -> Result<AuthUserAddResponse, Rejection> {
        self.only_root()?;
        let mut request = AuthUserAddRequest { hashed_password: String::new(), ..request };
        let password = std::mem::take(&mut request.password);
        if !request.options.is_some_and(|options| options.no_password) {
            request.hashed_password = self.passwords.hash(password).await?;
        }
        self.replicate(Change::UserAdd(request)).await?;
        Ok(AuthUserAddResponse { header: self.header() })
    }

    /// An empty password is none: nobody can log in with it.
    async fn serve_change_password(
        &self,
        request: AuthUserChangePasswordRequest,
    ) -> Result<AuthUserChangePasswordResponse, Rejection> {
        self.only_root()?;
        let mut request = AuthUserChangePasswordRequest { hashed_password: String::new(), ..request };
        let password = std::mem::take(&mut request.password);
        if !password.is_empty() {
            request.hashed_password = self.passwords.hash(password).await?;
        }
        self.replicate(Change::UserChangePassword(request)).await?;
        Ok(AuthUserChangePasswordResponse { header: self.header() })
    }

    /// Before anything dear is done; the log's order decides.
    fn only_root(&self) -> Result<(), Rejection> {
        caller(|caller| self.guarded(caller, |guard| guard.root()))
    }

    async fn serve_user_get(&self, request: AuthUserGetRequest) -> Result<AuthUserGetResponse, Rejection> {
        self.barrier().await?;
        caller(|caller| self.guarded(caller, |guard| guard.see_user(&request.name)))?;
        let accounts = self.authority.accounts();
        let user = accounts.user(&request.name).ok_or(AuthRefusal::UserNotFound)?;
        Ok(AuthUserGetResponse { header: self.header(), roles: user.roles.iter().cloned().collect() })
    }

    async fn serve_user_list(&self) -> Result<AuthUserListResponse, Rejection> {
        self.barrier().await?;
        self.only_root()?;
        Ok(AuthUserListResponse { header: self.header(), users: self.authority.accounts().user_names() })
    }

    async fn serve_role_get(&self, request: AuthRoleGetRequest) -> Result<AuthRoleGetResponse, Rejection> {
        self.barrier().await?;
        caller(|caller| self.guarded(caller, |guard| guard.see_role(&request.role)))?;
        let accounts = self.authority.accounts();
        let role = accounts.role(&request.role).ok_or(AuthRefusal::RoleNotFound)?;
        let permission = |((key, range_end), access): (&(Bytes, Bytes), &i32)| Permission {
            perm_type: *access,
            key: key.clone(),
            range_end: range_end.clone(),
        };
        let perm = if request.role == ROOT {
            let everything = (Bytes::new(), Bytes::from_static(b"\0"));
            vec![permission((&everything, &(Access::Readwrite as i32)))]
        } else {
            role.permissions.iter().map(permission).collect()
        };
        Ok(AuthRoleGetResponse { header: self.header(), perm })
    }

    async fn serve_role_list(&self) -> Result<AuthRoleListResponse, Rejection> {
        self.barrier().await?;
        self.only_root()?;
        Ok(AuthRoleListResponse { header: self.header(), roles: self.authority.accounts().role_names() })
    }
}

/// Who the present request is from. On a stream, nobody: what serves one knows its caller itself.
fn caller<T>(ask: impl FnOnce(Option<&Caller>) -> T) -> T {
    let known = CALLER.try_with(Clone::clone).unwrap_or_default();
    ask(known.as_ref())
}

impl From<PasswordError> for Rejection {
    fn from(e: PasswordError) -> Self {
        match e {
            PasswordError::Busy => Self::TooManyRequests,
            PasswordError::TooLong => AuthRefusal::PasswordTooLong.into(),
            PasswordError::Failed(why) => Self::Internal(why),
        }
    }
}
