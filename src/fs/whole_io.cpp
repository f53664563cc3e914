#include "whole_io.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "platform.hpp"

namespace filetree {
namespace {

constexpr mode_t mine_alone = 0600;

// Calls `step(length left)` until it has come to the end; 0 in between is `EIO`.
template <class Step>
int repeat(std::size_t length, Step step) noexcept {
    while (length > 0) {
        const ssize_t done = step(length);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? errno : EIO;
        length -= static_cast<std::size_t>(done);
    }
    return 0;
}

}  // namespace

int write_all(int fd, std::string_view bytes) noexcept {
    return repeat(bytes.size(), [&](std::size_t left) {
        return ::write(fd, bytes.data() + (bytes.size() - left), left);
    });
}

int write_all_at(int fd, std::uint64_t offset, std::string_view bytes) noexcept {
    return repeat(bytes.size(), [&](std::size_t left) {
        const std::size_t done = bytes.size() - left;
        return ::pwrite(fd, bytes.data() + done, left, static_cast<off_t>(offset + done));
    });
}

int read_all_at(int fd, std::uint64_t offset, char* out, std::size_t length) noexcept {
    return repeat(length, [&](std::size_t left) {
        const std::size_t done = length - left;
        return ::pread(fd, out + done, left, static_cast<off_t>(offset + done));
    });
}

int sync_directory(int directory) noexcept {
    return platform::sync(directory) == 0 || errno == EINVAL ? 0 : errno;
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<UniqueFd> open_temporary(const std::string& directory) {
    UniqueFd nameless(platform::open_nameless(directory.c_str(), O_EXCL | O_RDWR, mine_alone));
    if (nameless) return Result<UniqueFd>::success(std::move(nameless));
    std::string name = directory + "/pwalk-XXXXXX";
    UniqueFd named(::mkostemp(name.data(), O_CLOEXEC));
    if (!named || ::unlink(name.c_str()) != 0) return Result<UniqueFd>::failure(errno);
    return Result<UniqueFd>::success(std::move(named));
}

}  // namespace filetree
