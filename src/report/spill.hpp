#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "byte_buffer.hpp"
#include "filetree/error.hpp"

namespace filetree::report {

// Bytes put aside in files without a name in one directory: nothing is left of them, whatever
// happens. Nothing is touched before the first write.
//
// Threads: any.
class Spill {
   public:
    using Clock = std::chrono::steady_clock;
    class File;

    // Where bytes are. With its last place a full file is closed, which frees its space.
    struct Place {
        std::shared_ptr<File> file;
        std::uint64_t offset = 0;
        std::size_t length = 0;
    };

    struct Tuning {
        // A file that has this many bytes is full; more when many files are open, or a large
        // backlog would take every descriptor.
        std::uint64_t file_size = std::uint64_t{256} << 20U;
        std::chrono::nanoseconds retry_after = std::chrono::seconds(1);
    };

    explicit Spill(std::string directory) : Spill(std::move(directory), Tuning{}) {}
    Spill(std::string directory, Tuning tuning);
    ~Spill();
    Spill(const Spill&) = delete;
    Spill& operator=(const Spill&) = delete;

    // Or an errno: no space, no such directory, ...
    [[nodiscard]] Result<Place> write(std::string_view bytes) noexcept;
    // Replaces what is in `out`. Returns 0 or an errno; EIO too when bytes are missing.
    [[nodiscard]] static int read(const Place& place, ByteBuffer& out) noexcept;

    // After a write that failed: when it is worth another try. Space freed makes that now.
    [[nodiscard]] Clock::time_point retry_at() const noexcept;
    [[nodiscard]] bool ready() const noexcept { return Clock::now() >= retry_at(); }

    // Bytes put aside so far.
    [[nodiscard]] std::uint64_t written() const noexcept {
        return written_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

   private:
    struct State;

    [[nodiscard]] Result<Place> reserve(std::size_t length);
    void failed(const std::shared_ptr<File>& file) noexcept;

    const std::string directory_;
    const Tuning tuning_;
    const std::shared_ptr<State> state_;  // files may outlive this object
    std::atomic<std::uint64_t> written_{0};

    std::mutex mutex_;
    std::shared_ptr<File> current_;  // takes the next write
    std::uint64_t end_ = 0;          // of what is reserved in it
};

}  // namespace filetree::report
