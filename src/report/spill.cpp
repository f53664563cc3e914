#include "spill.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "../fs/whole_io.hpp"

namespace filetree::report {
namespace {

// Each time that this many more files are open, files become twice as large.
constexpr std::uint32_t files_of_a_size = 8;
constexpr std::uint32_t most_doublings = 20;

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
    File(UniqueFd fd, std::shared_ptr<State> state) noexcept
        : fd_(std::move(fd)), state_(std::move(state)) {
        state_->open_files.fetch_add(1, std::memory_order_relaxed);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        fd_ = {};
        state_->open_files.fetch_sub(1, std::memory_order_relaxed);
        // A file that got nothing written has freed nothing either.
        if (has_content_.load(std::memory_order_relaxed)) state_->retry(Clock::time_point::min());
    }

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    void note_content() noexcept { has_content_.store(true, std::memory_order_relaxed); }

   private:
    UniqueFd fd_;
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
            place.error = write_all_at(file->fd(), place.value.offset, bytes);
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
    const int error = read_all_at(place.file->fd(), place.offset, out.data(), place.length);
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
        Result<UniqueFd> opened = open_temporary(directory_);
        if (!opened.ok()) return Result<Place>::failure(opened.error);
        current_ = std::make_shared<File>(std::move(opened.value), state_);
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
