#pragma once

#include <sys/resource.h>

#include <csignal>
#include <cstddef>

namespace filetree::testing {

// No file grows beyond this while it lasts.
class FileSizeLimit {
   public:
    explicit FileSizeLimit(std::size_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        signal_ = std::signal(SIGXFSZ, SIG_IGN);
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        lift();
        (void)std::signal(SIGXFSZ, signal_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

    void lift() const { ::setrlimit(RLIMIT_FSIZE, &before_); }

   private:
    rlimit before_{};
    void (*signal_)(int) = nullptr;
};

}  // namespace filetree::testing
