#include "../platform.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#ifndef __APPLE__
#include <sys/syscall.h>
#endif

#include <array>
#include <cerrno>
#include <utility>

namespace filetree::platform {
namespace {

// Between a descriptor's making and this a fork in another thread could inherit it.
bool close_on_exec(int fd) noexcept { return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0; }
bool never_wait(int fd) noexcept { return ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0; }

}  // namespace

const bool can_pin = false;

// On macOS fsync(2) leaves it to the disk when it writes.
int sync(int fd) noexcept {
#ifdef F_FULLFSYNC
    if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
    if (errno == EIO || errno == ENOSPC) return -1;
#endif
    return ::fsync(fd);
}

int sync_data(int fd) noexcept { return sync(fd); }

int open_nameless(const char* /*directory*/, int /*flags*/, mode_t /*mode*/) noexcept {
    errno = EOPNOTSUPP;
    return -1;
}

int give_name(int /*fd*/, const char* /*path*/) {
    errno = EOPNOTSUPP;
    return -1;
}

ssize_t copy_range(int /*from*/, off_t /*offset*/, int /*to*/, std::size_t /*length*/) noexcept {
    return 0;
}

int open_socket(int family, int type, int protocol) noexcept {
    UniqueFd made(::socket(family, type, protocol));
    if (!made || !close_on_exec(made.get())) return -1;
#ifdef SO_NOSIGPIPE
    const int on = 1;
    if (::setsockopt(made.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0) return -1;
#endif
    return made.release();
}

ssize_t send_to(int socket, const void* bytes, std::size_t length, bool wait) noexcept {
#ifdef SO_NOSIGPIPE
    constexpr int no_signal = 0;  // the socket raises none
#else
    constexpr int no_signal = MSG_NOSIGNAL;
#endif
    return ::send(socket, bytes, length, no_signal | (wait ? 0 : MSG_DONTWAIT));
}

unsigned allowed_cores() noexcept { return 0; }

bool on_main_thread() noexcept {
#ifdef __APPLE__
    return ::pthread_main_np() != 0;
#else
    return ::syscall(SYS_gettid) == ::getpid();  // Linux, when this is tried there
#endif
}

Wakeup::Wakeup() noexcept {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return;
    UniqueFd reader(ends[0]);
    writer_ = UniqueFd(ends[1]);
    for (const int end : ends) {
        if (!close_on_exec(end) || !never_wait(end)) return;
    }
    fd_ = std::move(reader);
}

void Wakeup::ring() const noexcept {
    const char any = 0;
    (void)!::write(writer_.get(), &any, 1);  // fails only when it is full, that is, readable
}

void Wakeup::clear() const noexcept {
    std::array<char, 256> rings{};
    while (::read(fd_.get(), rings.data(), rings.size()) > 0) {
    }
}

}  // namespace filetree::platform
