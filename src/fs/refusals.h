/*
 * Why an operation is refused here, without a call: the errno, and what is wrong and what to do
 * about it; NULL for ordinary outcomes, which programs expect, and which are never recorded.
 * precheck.h and precheck.c make an enum and a table of it.
 */
REFUSAL(NONE, 0, NULL)
REFUSAL(ABSENT, ENOENT, NULL)
REFUSAL(EXISTS, EEXIST, NULL)
REFUSAL(READS, EACCES, NULL)
REFUSAL(FOREIGN_ATTRIBUTE, EOPNOTSUPP, NULL)
REFUSAL(STOPPING, ESHUTDOWN, "the daemon is about to end: try again once it is mounted anew")
REFUSAL(READ_ONLY, EROFS, "this mount is read-only: mount it without the option ro")
REFUSAL(REPLACES_ONLY, EPERM,
	"this mount only replaces the values of existing secrets: mount it without the option nocreate")
REFUSAL(CONTROL, EPERM,
	"nothing can be made, renamed or removed in .sstorefs: take a name elsewhere")
REFUSAL(HOLDS_STORES, EPERM,
	"this level holds stores: write into STORE/NAME, or make a store with mkdir")
REFUSAL(HOLDS_SECRETS, EPERM,
	"a store holds secrets and no directories: make a store at the root of a mount of all stores")
REFUSAL(NAME, EINVAL, "the service takes no such name: use letters, digits, - and _")
REFUSAL(STORE_NAME, EINVAL,
	"the service takes no store of such a name: use letters, digits, - and _")
REFUSAL(FIXED_STORES, EPERM, "these directories are all there are: write into one of them")
REFUSAL(LONG_NAME, ENAMETOOLONG, "the name is longer than 255 bytes: use a shorter one")
REFUSAL(APPENDS, EOPNOTSUPP,
	"a stored value can't be read, so nothing can be appended to it: write all of it with > NAME")
REFUSAL(SERVICE, EIO, "")
REFUSAL(QUOTA, EDQUOT,
	"the quota of secrets is used up: delete one, or write to .sstorefs/refresh if there is room again")
REFUSAL(NO_LOCKED_MEMORY, ENOBUFS,
	"no locked memory or no descriptor is left for another value: raise RLIMIT_MEMLOCK and RLIMIT_NOFILE (LimitMEMLOCK= and LimitNOFILE= of a unit), or write fewer at once")
REFUSAL(NO_MEMORY, ENOMEM, "out of memory: try again")
REFUSAL(TOO_LARGE, EFBIG,
	"the value is larger than the service takes: split it, or store a key to it")
REFUSAL(NOT_TEXT, EILSEQ,
	"the value is not UTF-8, and this service takes only text: encode it, in base64 for example")
REFUSAL(GROWS, EINVAL,
	"the old value is unknown here, so it can't be grown or changed in part: write all of it with > NAME")
REFUSAL(POSITION, ESPIPE,
	"io_uring sends writes at the current position to the beginning of the file, over what was written before: write at offsets, open with O_APPEND, or set UV_USE_IO_URING=0 for Node.js")
REFUSAL(OTHER_OWNER, EPERM,
	"only the owner may change permissions and owner: see the mount options uid, gid and umask")
REFUSAL(STAYS, EPERM, "this directory is always there: delete the secrets that are in it with rm")
REFUSAL(IS_STORE, EISDIR, "this is a store: delete it with rmdir once it is empty")
REFUSAL(NOT_EMPTY, ENOTEMPTY,
	"secrets of this store are being written, or wait to be renamed: end their writers, or remove them")
REFUSAL(RENAMES_STORE, EOPNOTSUPP,
	"a store can't be renamed: make another with mkdir, and write its secrets there")
REFUSAL(LEAVES_STORE, EOPNOTSUPP,
	"a secret can't leave its store: write its value into the other one, and delete it here")
REFUSAL(RENAMES_STAGED, EOPNOTSUPP,
	"only temporary files are moved into or out of a directory for such files, and neither it nor a lock gets another name: write it anew")
REFUSAL(EXCHANGES, EINVAL, "two names can't be exchanged: rename one after the other")
REFUSAL(FAILED, EINVAL,
	"a write to this file was refused, so it is not whole: write it again, to its end")
REFUSAL(LINKS, EOPNOTSUPP,
	"the service gives no secret a second name: write the value under that name")
REFUSAL(LINKS_UNSTORED, EOPNOTSUPP,
	"only a stored secret can have another name, and within its store: write it first")
REFUSAL(SYMLINKS, EPERM, "there are no symbolic links here: write the value under that name")
REFUSAL(ODD_FILE, EPERM, "pipes, sockets and devices can't be made here: make them elsewhere")
REFUSAL(ATTRIBUTE, EOPNOTSUPP,
	"this attribute can't be set here: sstorefs(1), FILES AND ATTRIBUTES, lists those that can")
REFUSAL(ATTRIBUTE_VALUE, EINVAL,
	"the attribute can't have this value: sstorefs(1), SERVICES, says what it may be")
REFUSAL(ATTRIBUTE_TEXT, EILSEQ, "the attribute is not UTF-8: give it as text")
REFUSAL(LATE_EXPIRY, EOPNOTSUPP,
	"an expiry is stored with a value: set it while the file is open and its value not yet stored")
