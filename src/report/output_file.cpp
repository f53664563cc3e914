#include "filetree/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <random>

#include "../fs/platform.hpp"
#include "../fs/unique_fd.hpp"
#include "../fs/whole_io.hpp"
#include "filetree/error.hpp"

namespace filetree {
namespace {

constexpr mode_t new_file_mode = 0666;  // less the umask
constexpr int most_tries = 100;
constexpr int most_links = 40;  // as the kernel follows

// Where a path leads, also when what it leads to is still missing.
std::string resolved(std::string path) {
    for (int links = 0; links < most_links; ++links) {
        std::array<char, PATH_MAX> target{};
        const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
        if (length <= 0) return path;
        const std::string to(target.data(), static_cast<std::size_t>(length));
        path = to.starts_with('/') ? to : directory_of(path).append("/").append(to);
    }
    return path;
}

std::string temporary_name(const std::string& target) {
    std::random_device random;
    const std::string directory = directory_of(target);
    const std::string name = target.substr(target.rfind('/') + 1);
    // A long name is cut, or the temporary one might not fit.
    return directory + "/." + name.substr(0, NAME_MAX - 32) + "." + std::to_string(random()) +
           ".tmp";
}

}  // namespace

OutputFile::OutputFile(const std::string& path)
    : path_(path), target_(resolved(path)), directory_(directory_of(target_)) {
    if (path.empty()) fail(ENOENT);
    struct stat existing {};
    if (::stat(path.c_str(), &existing) == 0) {
        if (S_ISDIR(existing.st_mode)) fail(EISDIR);
        direct_ = !S_ISREG(existing.st_mode);
        // What may not be written may not be replaced either.
        if (!direct_ && ::access(path.c_str(), W_OK) != 0) fail(errno);
    } else if (errno != ENOENT) {
        fail(errno);
    }
    if (direct_) {
        fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        if (fd_ < 0) fail(errno);
    } else if (!open_unnamed()) {
        open_named();
    }
}

OutputFile::~OutputFile() { discard(); }

bool OutputFile::open_unnamed() {
    fd_ = platform::open_nameless(directory_.c_str(), O_WRONLY, new_file_mode);
    return fd_ >= 0;
}

void OutputFile::open_named() {
    for (int i = 0; i < most_tries; ++i) {
        temporary_ = temporary_name(target_);
        fd_ = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, new_file_mode);
        if (fd_ >= 0) return;
        if (errno != EEXIST) break;
    }
    temporary_.clear();
    fail(errno);
}

// Giving a name never replaces, so what is replaced needs a name in between.
void OutputFile::publish_unnamed() {
    if (platform::give_name(fd_, target_.c_str()) == 0) return;
    if (errno != EEXIST) fail(errno);
    for (int i = 0; i < most_tries; ++i) {
        const std::string name = temporary_name(target_);
        if (platform::give_name(fd_, name.c_str()) == 0) {
            temporary_ = name;
            return;
        }
        if (errno != EEXIST) break;
    }
    fail(errno);
}

void OutputFile::commit() {
    if (!direct_) {
        if (platform::sync(fd_) != 0) fail(errno);
        if (temporary_.empty()) publish_unnamed();
        if (!temporary_.empty() && ::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
        temporary_.clear();
        // Who may write in a directory need not be allowed to read it.
        const UniqueFd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const int error = directory ? sync_directory(directory.get()) : 0;
        if (error != 0) fail(error);
    }
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0) fail(errno);
}

void OutputFile::discard() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
}

void OutputFile::fail(int error) const {
    // The constructor's caller has no object to clean up after.
    const_cast<OutputFile*>(this)->discard();
    throw SystemError(error, path_);
}

}  // namespace filetree
