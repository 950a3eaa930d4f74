#include "common/proc/privs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/mem.h"

bool privs_are_root(void)
{
	return geteuid() == 0;
}

/* NULL: *err_code is -ENOENT or what else went wrong. */
static const struct passwd *find_user(const char *user, int *err_code)
{
	errno = 0;
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		*err_code = errno != 0 ? -errno : -ENOENT;
	return pw;
}

int privs_lookup(const char *user, unsigned int *ret_uid, unsigned int *ret_gid)
{
	int r = 0;
	const struct passwd *pw = find_user(user, &r);

	if (pw == NULL)
		return r;
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

static int no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

int privs_drop(const char *user)
{
	int r = 0;

	if (!privs_are_root())
		return no_new_privs();
	if (user[0] == '\0')
		return -EPERM;
	const struct passwd *pw = find_user(user, &r);

	if (pw == NULL)
		return r;
	if (pw->pw_uid == 0)
		return -EPERM;
	uid_t uid = pw->pw_uid;
	gid_t gid = pw->pw_gid;
	if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return -errno;
	if (setuid(0) == 0 || seteuid(0) == 0)
		die("root came back after it was given up");
	return no_new_privs();
}

void privs_no_dump(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* fails for bad arguments only */
}
