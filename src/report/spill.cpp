#include "spill.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

#include "../fs/platform.hpp"

namespace filetree::report {
namespace {

constexpr mode_t mine_alone = 0600;
// Each time that this many more files are open, files become twice as large.
constexpr std::uint32_t files_of_a_size = 8;
constexpr std::uint32_t most_doublings = 20;

// A descriptor, or an errno.
Result<int> open_nameless(const std::string& directory) {
    const int nameless = platform::open_nameless(directory.c_str(), O_EXCL | O_RDWR, mine_alone);
    if (nameless >= 0) return Result<int>::success(nameless);
    std::string name = directory + "/pwalk-XXXXXX";
    const int named = ::mkostemp(name.data(), O_CLOEXEC);
    if (named < 0) return Result<int>::failure(errno);
    if (::unlink(name.c_str()) != 0) {
        const int error = errno;
        ::close(named);
        return Result<int>::failure(error);
    }
    return Result<int>::success(named);
}

int write_at(int fd, std::uint64_t offset, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? errno : EIO;
        bytes.remove_prefix(static_cast<std::size_t>(done));
        offset += static_cast<std::uint64_t>(done);
    }
    return 0;
}

int read_at(int fd, std::uint64_t offset, char* out, std::size_t length) noexcept {
    while (length > 0) {
        const ssize_t done = ::pread(fd, out, length, static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? errno : EIO;
        out += done;
        offset += static_cast<std::uint64_t>(done);
        length -= static_cast<std::size_t>(done);
    }
    return 0;
}

}  // namespace

struct Spill::State {
    std::atomic<Clock::rep> retry_at{Clock::time_point::min().time_since_epoch().count()};
    std::atomic<std::uint32_t> open_files{0};

    void retry(Clock::time_point at) noexcept {
        retry_at.store(at.time_since_epoch().count(), std::memory_order_relaxed);
    }
};

class Spill::File {
   public:
    File(int fd, std::shared_ptr<State> state) noexcept : fd_(fd), state_(std::move(state)) {
        state_->open_files.fetch_add(1, std::memory_order_relaxed);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        ::close(fd_);
        state_->open_files.fetch_sub(1, std::memory_order_relaxed);
        // A file that got nothing written has freed nothing either.
        if (has_content_.load(std::memory_order_relaxed)) state_->retry(Clock::time_point::min());
    }

    [[nodiscard]] int fd() const noexcept { return fd_; }
    void note_content() noexcept { has_content_.store(true, std::memory_order_relaxed); }

   private:
    const int fd_;
    const std::shared_ptr<State> state_;
    std::atomic<bool> has_content_{false};
};

Spill::Spill(std::string directory, Tuning tuning)
    : directory_(std::move(directory)), tuning_(tuning), state_(std::make_shared<State>()) {}

Spill::~Spill() = default;

Result<Spill::Place> Spill::write(std::string_view bytes) noexcept {
    try {
        Result<Place> place = reserve(bytes.size());
        if (place.ok()) {
            const std::shared_ptr<File>& file = place.value.file;
            place.error = write_at(file->fd(), place.value.offset, bytes);
            if (place.ok()) {
                file->note_content();
                written_.fetch_add(bytes.size(), std::memory_order_relaxed);
                return place;
            }
        }
        failed(place.value.file);
        return Result<Place>::failure(place.error);
    } catch (const std::bad_alloc&) {
        failed(nullptr);
        return Result<Place>::failure(ENOMEM);
    }
}

int Spill::read(const Place& place, ByteBuffer& out) noexcept {
    try {
        out.clear();
        out.ensure(place.length);
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
    const int error = read_at(place.file->fd(), place.offset, out.data(), place.length);
    if (error == 0) out.set_end(out.data() + place.length);
    return error;
}

Spill::Clock::time_point Spill::retry_at() const noexcept {
    return Clock::time_point(Clock::duration(state_->retry_at.load(std::memory_order_relaxed)));
}

Result<Spill::Place> Spill::reserve(std::size_t length) {
    std::shared_ptr<File> full;  // let go of without the lock: closing a large file takes a while
    const std::lock_guard lock(mutex_);
    const std::uint32_t doublings = std::min(
        state_->open_files.load(std::memory_order_relaxed) / files_of_a_size, most_doublings);
    if (current_ && end_ >= tuning_.file_size << doublings) full = std::move(current_);
    if (!current_) {
        const Result<int> fd = open_nameless(directory_);
        if (!fd.ok()) return Result<Place>::failure(fd.error);
        try {
            current_ = std::make_shared<File>(fd.value, state_);
        } catch (const std::bad_alloc&) {
            ::close(fd.value);
            throw;
        }
        end_ = 0;
    }
    Place place{current_, end_, length};
    end_ += length;
    return Result<Place>::success(std::move(place));
}

void Spill::failed(const std::shared_ptr<File>& file) noexcept {
    state_->retry(Clock::now() + tuning_.retry_after);
    // What is in the file must free its space once it has been read, so nothing more goes there.
    std::shared_ptr<File> given_up;
    const std::lock_guard lock(mutex_);
    if (file && file == current_) given_up = std::move(current_);
}

}  // namespace filetree::report
