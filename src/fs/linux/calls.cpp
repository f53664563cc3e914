#include "../calls.hpp"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

#include "../from_stat.hpp"
#include "../read_link.hpp"

namespace filetree::calls {
namespace {

// What the headers of manylinux_2_28 do not know yet; the kernel has it since 5.8.
constexpr unsigned statx_mount_id = 0x1000U;  // STATX_MNT_ID
constexpr auto fuse_magic = 0x65735546;       // FUSE_SUPER_MAGIC

// stx_mnt_id.
std::uint64_t mount_id(const struct statx& in) noexcept {
    constexpr std::size_t offset = 0x90;
    static_assert(sizeof in == 0x100);
    std::uint64_t id = 0;
    std::memcpy(&id, reinterpret_cast<const char*>(&in) + offset, sizeof id);
    return id;
}

unsigned statx_mask(StatMask mask) noexcept {
    constexpr unsigned type = statx_mount_id | STATX_TYPE | STATX_MODE | STATX_INO;
    switch (mask) {
        case StatMask::type:
            return type;
        case StatMask::change:
            return type | STATX_MTIME | STATX_CTIME;
        case StatMask::all:
            break;
    }
    return statx_mount_id | STATX_BASIC_STATS;
}

Timestamp from_statx(const statx_timestamp& time) noexcept { return {time.tv_sec, time.tv_nsec}; }

void from_statx(const struct statx& in, Attributes& out) noexcept {
    out.inode = in.stx_ino;
    out.device = ::makedev(in.stx_dev_major, in.stx_dev_minor);
    out.mount_id = (in.stx_mask & statx_mount_id) != 0 ? mount_id(in) : out.device;
    out.size = in.stx_size;
    out.blocks = in.stx_blocks;
    out.links = in.stx_nlink;
    out.atime = from_statx(in.stx_atime);
    out.mtime = from_statx(in.stx_mtime);
    out.ctime = from_statx(in.stx_ctime);
    out.mode = in.stx_mode;
    out.uid = in.stx_uid;
    out.gid = in.stx_gid;
    out.special_device = ::makedev(in.stx_rdev_major, in.stx_rdev_minor);
    out.automount_point = (in.stx_attributes & STATX_ATTR_AUTOMOUNT) != 0;
}

int fstatat_one(int fd, const char* name, int flags, Attributes& out) noexcept {
    struct stat plain {};
    if (::fstatat(fd, name, &plain, flags) != 0) return errno;
    out = from_stat(plain);
    return 0;
}

// lstat of `name` in `fd`, or of `fd` itself when `flags` has AT_EMPTY_PATH.
int stat_one(Abilities& abilities, int fd, const char* name, int flags, StatMask mask,
             Attributes& out) noexcept {
    flags |= AT_NO_AUTOMOUNT;
    if (!abilities.statx.load(std::memory_order_relaxed)) return fstatat_one(fd, name, flags, out);

    struct statx extended;
    const bool dont_sync = abilities.dont_sync.load(std::memory_order_relaxed);
    const int sync = dont_sync ? AT_STATX_DONT_SYNC : AT_STATX_SYNC_AS_STAT;
    if (::statx(fd, name, flags | sync, statx_mask(mask), &extended) == 0) {
        from_statx(extended, out);
        return 0;
    }
    const int error = errno;
    if (error == EINVAL && dont_sync) {
        abilities.dont_sync.store(false, std::memory_order_relaxed);
        return stat_one(abilities, fd, name, flags, mask, out);
    }
    if (error == ENOSYS || error == EPERM) {
        const int plain_error = fstatat_one(fd, name, flags, out);
        if (plain_error == 0) abilities.statx.store(false, std::memory_order_relaxed);
        return plain_error;
    }
    return error;
}

// The kernel's struct linux_dirent64; `d_name` follows the type byte and ends with a NUL.
struct DirentHeader {
    std::uint64_t d_ino;
    std::int64_t d_off;
    std::uint16_t d_reclen;
    std::uint8_t d_type;
};
constexpr std::size_t dirent_name_offset = 19;

constexpr std::size_t usual_dirent = 32;  // bytes

void append_names(const char* buffer, std::size_t bytes, Listing& out) {
    if (out.empty()) out.reserve(bytes / usual_dirent, bytes / 2);
    for (std::size_t at = 0; at < bytes;) {
        DirentHeader header;
        std::memcpy(&header, buffer + at, dirent_name_offset);
        const std::string_view name(buffer + at + dirent_name_offset);
        if (name != "." && name != "..") out.add(name, static_cast<EntryType>(header.d_type));
        at += header.d_reclen;
    }
}

// Not in every libc's headers: Linux 6.6.
#ifdef SYS_fchmodat2
constexpr long fchmodat2_number = SYS_fchmodat2;
#else
constexpr long fchmodat2_number = 452;
#endif

std::string own_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// A field of /proc/self/mountinfo, where white space and backslashes are written as octal numbers.
std::string unescaped(std::string_view field) {
    std::string out;
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] == '\\' && i + 3 < field.size()) {
            const auto digit = [&](std::size_t k) { return field[i + k] - '0'; };
            out.push_back(static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3)));
            i += 3;
        } else {
            out.push_back(field[i]);
        }
    }
    return out;
}

}  // namespace

int stat_at(Abilities& abilities, int directory, const char* name, bool follow, StatMask mask,
            Attributes& out) noexcept {
    return stat_one(abilities, directory, name, follow ? 0 : AT_SYMLINK_NOFOLLOW, mask, out);
}

int stat_descriptor(Abilities& abilities, int fd, Attributes& out) noexcept {
    return stat_one(abilities, fd, "", AT_EMPTY_PATH, StatMask::all, out);
}

// O_NOATIME is for owners and root only; others are refused with EPERM once, then not tried again.
Result<UniqueFd> open_directory(Abilities& abilities, int at, const char* path, bool follow) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
    if (abilities.noatime.load(std::memory_order_relaxed)) {
        if (UniqueFd fd{::openat(at, path, flags | O_NOATIME)}) return {std::move(fd), 0};
        if (errno != EPERM) return Result<UniqueFd>::failure(errno);
        abilities.noatime.store(false, std::memory_order_relaxed);
    }
    if (UniqueFd fd{::openat(at, path, flags)}) return {std::move(fd), 0};
    return Result<UniqueFd>::failure(errno);
}

DirectoryFd::~DirectoryFd() = default;

Result<bool> DirectoryFd::read(Listing& out, char* scratch) {
    const long bytes = ::syscall(SYS_getdents64, fd_.get(), scratch, CallContext::scratch_size);
    if (bytes < 0) return Result<bool>::failure(errno);
    append_names(scratch, static_cast<std::size_t>(bytes), out);
    return {bytes > 0, 0};
}

Result<UniqueFd> pin(int directory, const char* name) {
    if (UniqueFd fd{::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)}) {
        return {std::move(fd), 0};
    }
    return Result<UniqueFd>::failure(errno);
}

// fgetxattr(2) refuses descriptors that were opened with O_PATH.
Result<bool> has_attribute(int fd, const char* name) {
    if (::getxattr(own_path(fd).c_str(), name, nullptr, 0) >= 0) return {true, 0};
    if (errno == ENODATA || errno == EOPNOTSUPP) return {false, 0};
    return Result<bool>::failure(errno);
}

int change_group(int fd, std::uint32_t gid) noexcept {
    constexpr auto same_owner = static_cast<uid_t>(-1);
    return ::fchownat(fd, "", same_owner, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

// fchmod(2) refuses descriptors that were opened with O_PATH.
int change_mode(Abilities& abilities, int fd, std::uint32_t mode) noexcept {
    if (abilities.fchmodat2.load(std::memory_order_relaxed)) {
        if (::syscall(fchmodat2_number, fd, "", mode, AT_EMPTY_PATH) == 0) return 0;
        // Where seccomp does not know the call it may say EPERM.
        if (errno != ENOSYS && errno != EPERM) return errno;
    }
    if (::chmod(own_path(fd).c_str(), mode) != 0) return errno;
    abilities.fchmodat2.store(false, std::memory_order_relaxed);
    return 0;
}

std::string path_of(int fd) { return read_link_at(AT_FDCWD, own_path(fd).c_str()).value; }

// A file system without any capacity is a view into the kernel: proc, sysfs, cgroup and their like.
// FUSE servers often do not tell theirs, and a tmpfs may be without limits.
bool is_kernel_view(const struct statfs& file_system) noexcept {
    const auto type = file_system.f_type;
    return file_system.f_blocks == 0 && type != fuse_magic && type != TMPFS_MAGIC;
}

// Of file systems that are known to share no extents none need be asked.
StorageFacts storage_facts(int fd) {
    struct statfs file_system {};
    if (::fstatfs(fd, &file_system) != 0) return {true, true};
    const auto type = file_system.f_type;
    const bool shares = type != EXT4_SUPER_MAGIC && type != TMPFS_MAGIC && type != NFS_SUPER_MAGIC;
    return {!is_kernel_view(file_system), shares};
}

bool dates_changes(int directory) {
    struct statfs file_system {};
    if (::fstatfs(directory, &file_system) != 0) return false;
    return !is_kernel_view(file_system);
}

std::optional<std::uint64_t> next_data(int fd, std::uint64_t offset) {
    const off_t found = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
    if (found >= 0) return static_cast<std::uint64_t>(found);
    if (errno == ENXIO) return std::nullopt;
    return offset;
}

// All extents, if every one of them is shared and lies where it says. Empty: not so.
std::vector<Extent> shared_extents(int fd, std::uint64_t size, bool sync) {
    constexpr std::uint32_t batch = 128;
    constexpr std::uint32_t doubtful = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
                                       FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED |
                                       FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE |
                                       FIEMAP_EXTENT_DATA_TAIL;
    std::vector<char> buffer(sizeof(fiemap) + batch * sizeof(fiemap_extent));
    std::vector<Extent> extents;
    std::uint64_t at = 0;
    while (at < size) {
        std::memset(buffer.data(), 0, sizeof(fiemap));
        auto* map = reinterpret_cast<fiemap*>(buffer.data());
        map->fm_start = at;
        map->fm_length = FIEMAP_MAX_OFFSET - at;
        map->fm_flags = sync ? FIEMAP_FLAG_SYNC : 0;
        map->fm_extent_count = batch;
        if (::ioctl(fd, FS_IOC_FIEMAP, map) != 0) return {};
        if (map->fm_mapped_extents == 0) break;  // a hole to the end
        for (std::uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
            const fiemap_extent& extent = map->fm_extents[i];
            if ((extent.fe_flags & doubtful) != 0 ||
                (extent.fe_flags & FIEMAP_EXTENT_SHARED) == 0) {
                return {};
            }
            extents.push_back({extent.fe_logical, extent.fe_physical, extent.fe_length});
            at = extent.fe_logical + extent.fe_length;
            if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return extents;
        }
    }
    return extents;
}

bool is_null_device(dev_t device) { return device == makedev(1, 3); }

bool has_mounts_below(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr),
                                                               &std::free);
    std::ifstream mounts("/proc/self/mountinfo");
    if (!resolved || !mounts) return true;
    std::string prefix(resolved.get());
    if (!prefix.ends_with('/')) prefix.push_back('/');
    for (std::string line; std::getline(mounts, line);) {
        // proc(5): the fifth field is the mount point.
        std::istringstream fields(line);
        std::string point;
        for (int i = 0; i < 5; ++i) fields >> point;
        point = unescaped(point);
        if (point.size() > prefix.size() && point.starts_with(prefix)) return true;
    }
    return false;
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    if (DIR* listing = ::opendir("/proc/self/fd")) {
        while (::readdir(listing) != nullptr) ++count;
        ::closedir(listing);
    }
    return count;
}

}  // namespace filetree::calls
