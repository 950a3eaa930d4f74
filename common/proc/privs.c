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

static int find_user(const char *user, const struct passwd **ret_pw)
{
	errno = 0;
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL) {
		int err = errno;

		return err != 0 ? -err : -ENOENT;
	}
	*ret_pw = pw;
	return 0;
}

int privs_lookup(const char *user, unsigned int *ret_uid, unsigned int *ret_gid)
{
	const struct passwd *pw;
	int r = find_user(user, &pw);

	if (r != 0)
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
	const struct passwd *pw;
	int r;

	if (!privs_are_root())
		return no_new_privs();
	if (user[0] == '\0')
		return -EPERM;
	r = find_user(user, &pw);
	if (r != 0)
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
