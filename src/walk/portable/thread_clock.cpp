#include "../thread_clock.hpp"

#include <pthread.h>

#include <ctime>
#ifdef __APPLE__
#include <mach/mach.h>
#endif

namespace filetree::walk {

using std::chrono::nanoseconds;

#ifdef __APPLE__

void ThreadClock::attach() noexcept {
    if (attached_.load()) return;
    clock_ = ::mach_thread_self();
    attached_.store(true);
}

void ThreadClock::detach() noexcept {
    if (!attached_.load()) return;
    (void)::mach_port_deallocate(::mach_task_self(), static_cast<mach_port_t>(clock_));
}

namespace {

// All 0 when the kernel does not tell.
thread_basic_info read_about(std::int64_t port) noexcept {
    thread_basic_info info{};
    mach_msg_type_number_t size = THREAD_BASIC_INFO_COUNT;
    if (::thread_info(static_cast<mach_port_t>(port), THREAD_BASIC_INFO,
                      reinterpret_cast<thread_info_t>(&info), &size) != KERN_SUCCESS) {
        return {};
    }
    return info;
}

}  // namespace

nanoseconds ThreadClock::cpu_time() const noexcept {
    if (!attached_.load()) return nanoseconds(0);
    const thread_basic_info info = read_about(clock_);
    const auto duration = [](const time_value_t& time) {
        return std::chrono::seconds(time.seconds) + std::chrono::microseconds(time.microseconds);
    };
    return duration(info.user_time) + duration(info.system_time);
}

bool ThreadClock::runnable() const {
    return attached_.load() && read_about(clock_).run_state == TH_STATE_RUNNING;
}

#else

void ThreadClock::attach() noexcept {
    clockid_t clock{};
    const bool told = ::pthread_getcpuclockid(::pthread_self(), &clock) == 0;
    clock_ = clock;
    attached_.store(told);
}

void ThreadClock::detach() noexcept {}

nanoseconds ThreadClock::cpu_time() const noexcept {
    timespec time{};
    if (!attached_.load() || ::clock_gettime(static_cast<clockid_t>(clock_), &time) != 0) {
        return nanoseconds(0);
    }
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

bool ThreadClock::runnable() const { return false; }

#endif

nanoseconds ThreadClock::wait_time() const { return nanoseconds(0); }

}  // namespace filetree::walk
