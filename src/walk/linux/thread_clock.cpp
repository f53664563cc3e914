#include "../thread_clock.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <string_view>

namespace filetree::walk {

using std::chrono::nanoseconds;

namespace {

// The beginning of /proc/self/task/`thread`/`name`; empty when it cannot be read.
std::string_view read_about(pid_t thread, const char* name, std::span<char> buffer) {
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/" + name;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    const ssize_t length = ::read(fd, buffer.data(), buffer.size());
    ::close(fd);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

}  // namespace

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
    std::array<char, 64> buffer{};
    // Two numbers of nanoseconds: on a core, and waiting for one.
    const std::string_view text = read_about(thread_, "schedstat", buffer);
    const char* end = text.data() + text.size();
    std::int64_t on_core = 0;
    std::int64_t waiting = 0;
    const char* second = std::from_chars(text.data(), end, on_core).ptr;
    if (second != end) std::from_chars(second + 1, end, waiting);
    return nanoseconds(waiting);
}

bool ThreadClock::runnable() const {
    if (!attached_.load()) return false;
    std::array<char, 64> buffer{};
    // "TID (name) STATE ...", where the name may hold anything, in 15 bytes at most.
    const std::string_view text = read_about(thread_, "stat", buffer);
    return text.find(") R ", text.rfind(')')) != std::string_view::npos;
}

}  // namespace filetree::walk
