package process

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights that Landlock handles, by the version of its interface they came in.
const (
	landlockV1 = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1
	landlockV2 = landlockV1 | unix.LANDLOCK_ACCESS_FS_REFER
	landlockV3 = landlockV2 | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	landlockV5 = landlockV3 | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

	mayRead = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// ofFiles are the rights that make sense for something not a folder.
	ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// What every sandboxed program may reach: nearly none runs without, and none
// of it tells anything about the host.
var (
	libraries = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"}
	devices   = []string{"/dev/null", "/dev/zero", "/dev/urandom"}
)

// landlockVersion is 0 where there is no Landlock.
var landlockVersion = sync.OnceValue(func() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
})

// handled are all rights this kernel can deny.
func handled() uint64 {
	switch v := landlockVersion(); {
	case v >= 5:
		return landlockV5
	case v >= 3:
		return landlockV3
	case v == 2:
		return landlockV2
	}
	return landlockV1
}

func (o *order) restrictPaths() error {
	if !o.Sandbox.landlocked() {
		return nil
	}
	if landlockVersion() == 0 {
		return errNoLandlock
	}
	rules, err := newRuleset()
	if err != nil {
		return err
	}
	defer unix.Close(rules)
	for _, rule := range []struct {
		rights   uint64
		optional bool
		paths    []string
	}{
		{mayRead, false, append([]string{string(o.Path)}, o.Sandbox.ReadOnly...)},
		{handled(), false, o.Sandbox.ReadWrite},
		{mayRead, true, append([]string{interpreter(string(o.Path))}, libraries...)},
		{handled(), true, devices},
	} {
		for _, path := range rule.paths {
			err := allow(rules, path, rule.rights)
			if err != nil && !(rule.optional && errors.Is(err, fs.ErrNotExist)) {
				return err
			}
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(rules), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func newRuleset() (int, error) {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled()}
	// Only the first field is passed: older kernels know no other.
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, pointer(&attr), unsafe.Sizeof(attr.Handled_access_fs), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// allow gives rights to everything below path.
func allow(rules int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights & handled(), Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, pointer(&rule), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("%q: %w", path, errno)
	}
	return nil
}
