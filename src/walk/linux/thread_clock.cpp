#include "../thread_clock.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <string>

namespace filetree::walk {

using std::chrono::nanoseconds;

void ThreadClock::attach() noexcept {
    thread_ = static_cast<pid_t>(::syscall(SYS_gettid));
    clockid_t clock{};
    const bool told = ::pthread_getcpuclockid(::pthread_self(), &clock) == 0;
    clock_ = clock;
    attached_.store(told);
}

void ThreadClock::detach() noexcept {}

nanoseconds ThreadClock::cpu_time() const noexcept {
    timespec time{};
    if (!attached_.load() || ::clock_gettime(static_cast<clockid_t>(clock_), &time) != 0)
        return nanoseconds(0);
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

nanoseconds ThreadClock::wait_time() const {
    if (!attached_.load()) return nanoseconds(0);
    const std::string path = "/proc/self/task/" + std::to_string(thread_) + "/schedstat";
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nanoseconds(0);
    std::array<char, 64> text{};
    const ssize_t length = ::read(fd, text.data(), text.size());
    ::close(fd);
    if (length <= 0) return nanoseconds(0);
    // Two numbers of nanoseconds: on a core, and waiting for one.
    const char* end = text.data() + length;
    std::int64_t on_core = 0;
    std::int64_t waiting = 0;
    const char* second = std::from_chars(text.data(), end, on_core).ptr;
    if (second != end) std::from_chars(second + 1, end, waiting);
    return nanoseconds(waiting);
}

}  // namespace filetree::walk
