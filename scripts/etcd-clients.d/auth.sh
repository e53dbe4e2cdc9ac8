# shellcheck shell=bash
# auth, user, role. While auth is enabled, nobody gets in without being somebody.

check_auth() {
    check_users_and_roles
    check_auth_enabled
    check_auth_undone
}

check_users_and_roles() {
    contains "auth enable without root" 'root user does not exist' "$(etcdctl auth enable)"
    expect "user add root" 'User root created' "$(etcdctl user add root:r)"
    contains "user add twice" 'user name already exists' "$(etcdctl user add root:r)"
    expect "user grant-role root" 'Role root is granted to user root' "$(etcdctl user grant-role root root)"
    expect "role add" 'Role alices created' "$(etcdctl role add alices)"
    contains "role add twice" 'role name already exists' "$(etcdctl role add alices)"
    contains "role get of none" 'role name not found' "$(etcdctl role get none)"
    expect "role grant-permission" 'Role alices updated' "$(etcdctl role grant-permission alices --prefix=true readwrite "$prefix/alice/")"
    expect "role grant-permission, one key" 'Role alices updated' "$(etcdctl role grant-permission alices read "$prefix/shared")"
    expect "role grant-permission, a range" 'Role alices updated' "$(etcdctl role grant-permission alices write "$prefix/r1" "$prefix/r2")"
    expect "role grant-permission --from-key" 'Role alices updated' "$(etcdctl role grant-permission alices --from-key=true read "~$prefix")"
    expect "role get" "Role alices"$'\n'"KV Read:"$'\n\t'"$prefix/alice/ (prefix $prefix/alice/)" "$(etcdctl role get alices | head -n 3 | sed -E 's/\[([^,]*), [^)]*\) \(prefix/\1 (prefix/')"
    contains "role get, open end" "[~$prefix, <open ended>" "$(etcdctl role get alices)"
    contains "role revoke-permission --from-key" 'is revoked from role alices' "$(etcdctl role revoke-permission alices --from-key=true "~$prefix")"
    contains "role revoke-permission, a range" 'is revoked from role alices' "$(etcdctl role revoke-permission alices "$prefix/r1" "$prefix/r2")"
    contains "role revoke-permission of none" 'permission is not granted to the role' "$(etcdctl role revoke-permission alices none)"
    expect "role list" $'alices' "$(etcdctl role list | grep -v '^root$')"
    expect "user add alice" 'User alice created' "$(etcdctl user add alice --new-user-password=before)"
    expect "user add --no-password" 'User nobody created' "$(etcdctl user add nobody --no-password)"
    expect "user passwd" 'Password updated' "$(etcdctl user passwd alice --interactive=false <<<a)"
    contains "user grant-role of none" 'role name not found' "$(etcdctl user grant-role alice none)"
    contains "user revoke-role of none" 'role is not granted to the user' "$(etcdctl user revoke-role alice alices)"
    expect "user grant-role alice" 'Role alices is granted to user alice' "$(etcdctl user grant-role alice alices)"
    expect "user get" $'User: alice\nRoles: alices' "$(etcdctl user get alice)"
    contains "user get --detail" "Role alices" "$(etcdctl user get alice --detail)"
    expect "user list" $'alice\nnobody\nroot' "$(etcdctl user list)"
    expect "put before auth" OK "$(etcdctl put "$prefix/shared" s)"
}

check_auth_enabled() {
    local root=(--user root:r) alice=(--user alice:a)
    expect "auth enable" 'Authentication Enabled' "$(etcdctl auth enable)"
    [ "$version" = 3.4 ] || contains "auth status" 'Authentication Status: true' "$(etcdctl "${root[@]}" auth status)"
    expect "a user's put" OK "$(etcdctl "${alice[@]}" put "$prefix/alice/1" v)"
    expect "a user's get" s "$(etcdctl "${alice[@]}" get "$prefix/shared" --print-value-only)"
    expect "--password apart from --user" s "$(etcdctl --user alice --password a get "$prefix/shared" --print-value-only)"
    contains "a put that is not the user's" 'permission denied' "$(etcdctl "${alice[@]}" put "$prefix/shared" v)"
    contains "a get that is not the user's" 'permission denied' "$(etcdctl "${alice[@]}" get "$prefix/other")"
    contains "a range beyond the user's" 'permission denied' "$(etcdctl "${alice[@]}" get "$prefix/alice/" "$prefix/b")"
    contains "a watch that is not the user's" 'permission denied' "$(etcdctl "${alice[@]}" watch "$prefix/other" </dev/null)"
    contains "users are root's" 'permission denied' "$(etcdctl "${alice[@]}" user list)"
    contains "members are root's" 'permission denied' "$(etcdctl "${alice[@]}" member remove 1)"
    contains "a wrong password" 'authentication failed, invalid user ID or password' "$(etcdctl --user root:wrong get x)"
    contains "an old password" 'authentication failed, invalid user ID or password' "$(etcdctl --user alice:before get x)"
    contains "a user without password" 'authentication failed, password was given for no password user' "$(etcdctl --user nobody:x get x)"
    contains "a user that is not there" 'authentication failed, invalid user ID or password' "$(etcdctl --user none:x get x)"
    contains "root cannot be deleted" 'invalid auth management' "$(etcdctl "${root[@]}" user delete root)"
    contains "root keeps its role" 'invalid auth management' "$(etcdctl "${root[@]}" user revoke-role root root)"
    lock_witness
    matches "a user's lock" "$prefix/alice/l/[0-9a-f]+ [0-9]+"$'(\nError: exit status 3)?' "$(etcdctl "${alice[@]}" lock "$prefix/alice/l" "$scratch/witness")"
    contains "a lock that is not the user's" 'permission denied' "$(etcdctl "${alice[@]}" lock "$prefix/other" "$scratch/witness")"
    expect "user revoke-role" 'Role alices is revoked from user alice' "$(etcdctl "${root[@]}" user revoke-role alice alices)"
    contains "a role that was taken away" 'permission denied' "$(etcdctl "${alice[@]}" get "$prefix/shared")"
    expect "auth disable" 'Authentication Disabled' "$(etcdctl "${root[@]}" auth disable)"
}

check_auth_undone() {
    [ "$version" = 3.4 ] || contains "auth status, disabled" 'Authentication Status: false' "$(etcdctl auth status)"
    # etcdctl logs the refusal and goes on as nobody.
    contains "login without auth" 'authentication is not enabled' "$(timeout 20 "${program[$version]}" --user root:r get x 2>&1 || true)"
    expect "user delete" 'User alice deleted' "$(etcdctl user delete alice)"
    expect "user delete nobody" 'User nobody deleted' "$(etcdctl user delete nobody)"
    expect "user delete root" 'User root deleted' "$(etcdctl user delete root)"
    expect "role delete" 'Role alices deleted' "$(etcdctl role delete alices)"
    contains "user get of none" 'user name not found' "$(etcdctl user get alice)"
    contains "role delete of none" 'role name not found' "$(etcdctl role delete alices)"
}
