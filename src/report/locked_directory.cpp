#include "locked_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "../fs/platform.hpp"
#include "../fs/whole_io.hpp"
#include "filetree/error.hpp"

namespace filetree::report {
namespace {

constexpr mode_t new_directory_mode = 0777;  // less the umask
constexpr mode_t new_file_mode = 0666;

}  // namespace

LockedDirectory::LockedDirectory(std::string path, std::string lock)
    : path_(std::move(path)), lock_name_(std::move(lock)) {
    if (::mkdir(path_.c_str(), new_directory_mode) != 0 && errno != EEXIST) fail(errno);
    directory_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory_) fail(errno);
    if (::faccessat(directory_.get(), lock_name_.c_str(), F_OK, 0) != 0 && !names().empty()) {
        throw std::invalid_argument("checkpoint: " + path_ + " is not empty, and no checkpoint");
    }
    take_lock();
    // Where parts are, a lock tells that they are ours; and what is committed is to be found.
    sync();
    sync_parent();
}

void LockedDirectory::take_lock() {
    do {
        lock_ = UniqueFd(::openat(directory_.get(), lock_name_.c_str(),
                                  O_RDWR | O_CREAT | O_CLOEXEC, new_file_mode));
        if (!lock_) fail(errno, lock_name_);
        // Some network file systems know no locks; there, whoever uses them must take care.
        if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) fail(EBUSY);
    } while (!lock_is_still_there());
}

// False: whoever held the lock has been done, and has removed it meanwhile.
bool LockedDirectory::lock_is_still_there() const {
    struct stat opened {};
    struct stat there {};
    if (::fstat(lock_.get(), &opened) != 0) fail(errno, lock_name_);
    if (::fstatat(directory_.get(), lock_name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    return opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

void LockedDirectory::sync_parent() const {
    const UniqueFd parent(::openat(directory_.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent)
        (void)platform::sync(parent.get());  // where that is not allowed, others have to do it
}

std::vector<std::string> LockedDirectory::names() const {
    const int fd = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = fd < 0 ? nullptr : ::fdopendir(fd);
    if (stream == nullptr) {
        const int error = errno;
        if (fd >= 0) ::close(fd);
        fail(error);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
        errno = 0;
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) fail(error);
    return names;
}

UniqueFd LockedDirectory::create(const std::string& name) const {
    UniqueFd fd(::openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                         new_file_mode));
    if (!fd) fail(errno, name);
    return fd;
}

std::optional<std::string> LockedDirectory::read(const std::string& name) const {
    const UniqueFd fd(::openat(directory_.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        if (errno == ENOENT) return std::nullopt;
        fail(errno, name);
    }
    std::string bytes;
    constexpr std::size_t piece = std::size_t{1} << 20U;
    for (;;) {
        const std::size_t before = bytes.size();
        bytes.resize(before + piece);
        const ssize_t got = ::read(fd.get(), bytes.data() + before, piece);
        if (got < 0 && errno != EINTR) fail(errno, name);
        bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) return bytes;
    }
}

std::optional<std::uint64_t> LockedDirectory::size(const std::string& name) const {
    struct stat status {};
    if (::fstatat(directory_.get(), name.c_str(), &status, 0) != 0) {
        if (errno == ENOENT) return std::nullopt;
        fail(errno, name);
    }
    return static_cast<std::uint64_t>(status.st_size);
}

void LockedDirectory::write_synced(const std::string& name, std::string_view bytes) const {
    const UniqueFd fd = create(name);
    if (const int error = write_all(fd.get(), bytes)) fail(error, name);
    if (platform::sync(fd.get()) != 0) fail(errno, name);
}

void LockedDirectory::rename(const std::string& from, const std::string& to) const {
    if (::renameat(directory_.get(), from.c_str(), directory_.get(), to.c_str()) != 0) {
        fail(errno, to);
    }
}

void LockedDirectory::unlink_if_there(const std::string& name) const {
    if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT) fail(errno, name);
}

void LockedDirectory::sync() const {
    if (const int error = sync_directory(directory_.get())) fail(error);
}

void LockedDirectory::fail(int error, const std::string& name) const {
    throw SystemError(error, name.empty() ? path_ : path_of(name));
}

}  // namespace filetree::report
