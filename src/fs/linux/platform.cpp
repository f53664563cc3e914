#include "../platform.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace filetree::platform {

const bool can_pin = true;

int sync(int fd) noexcept { return ::fsync(fd); }
int sync_data(int fd) noexcept { return ::fdatasync(fd); }

int open_nameless(const char* directory, int flags, mode_t mode) noexcept {
    return ::open(directory, O_TMPFILE | flags | O_CLOEXEC, mode);
}

int give_name(int fd, const char* path) {
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

ssize_t copy_range(int from, off_t offset, int to, std::size_t length) noexcept {
    return ::copy_file_range(from, &offset, to, nullptr, length, 0);
}

int open_socket(int family, int type, int protocol) noexcept {
    return ::socket(family, type | SOCK_CLOEXEC, protocol);
}

ssize_t send_to(int socket, const void* bytes, std::size_t length, bool wait) noexcept {
    return ::send(socket, bytes, length, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
}

unsigned allowed_cores() noexcept {
    cpu_set_t affinity;
    if (::sched_getaffinity(0, sizeof affinity, &affinity) != 0) return 0;
    return static_cast<unsigned>(CPU_COUNT(&affinity));
}

bool on_main_thread() noexcept { return ::syscall(SYS_gettid) == ::getpid(); }

Wakeup::Wakeup() noexcept : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Wakeup::ring() const noexcept {
    const std::uint64_t one = 1;
    (void)!::write(fd_.get(), &one, sizeof one);  // fails only when it is full, that is, readable
}

void Wakeup::clear() const noexcept {
    std::uint64_t count = 0;
    (void)!::read(fd_.get(), &count, sizeof count);
}

}  // namespace filetree::platform
