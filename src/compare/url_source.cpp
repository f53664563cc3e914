#include "url_source.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>

namespace filetree::compare {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kept_size = std::uint64_t{1} << 20U;
// Read past rather than asked for anew.
constexpr std::uint64_t skipped_size = std::uint64_t{1} << 20U;
// Without ranges; then it is better kept in memory.
constexpr unsigned most_restarts = 3;
constexpr std::uint64_t most_in_memory = std::uint64_t{1} << 30U;
// Between two looks whether it is still wanted.
constexpr std::chrono::milliseconds poll_interval{50};

// Formats whose directory is at their end.
bool begins_like_a_directory_at_the_end(std::string_view bytes) {
    return bytes.starts_with("PK"sv) || bytes.starts_with("7z\xbc\xaf"sv) ||
           bytes.starts_with("Rar!"sv);
}

}  // namespace

// That something has come.
class UrlSource::Signal {
   public:
    void set() {
        const std::lock_guard lock(mutex_);
        is_set_ = true;
        changed_.notify_one();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, poll_interval, [this] { return is_set_; });
        is_set_ = false;
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_set_ = false;
};

std::size_t UrlSource::Part::read(std::uint64_t offset, std::span<char> out) const {
    if (offset < first || offset - first >= bytes.size()) return 0;
    const auto at = static_cast<std::size_t>(offset - first);
    const std::size_t count = std::min(out.size(), bytes.size() - at);
    std::memcpy(out.data(), bytes.data() + at, count);
    return count;
}

UrlSource::UrlSource(std::shared_ptr<HttpClient> client, SourceRef source,
                     std::function<bool()> stopping)
    : client_(std::move(client)),
      source_(std::move(source)),
      stopping_(std::move(stopping)),
      signal_(std::make_shared<Signal>()) {
    ask(0, {});
    name_ = stream_->name();
    await_head();
    first_head_ = *stream_->head();
    size_ = first_head_.length;
    char magic[4] = {};
    const std::size_t length = read_at(0, magic);
    const bool jumps = begins_like_a_directory_at_the_end({magic, length});
    if (jumps && !has_ranges()) keep_everything();
}

UrlSource::~UrlSource() = default;

void UrlSource::ask(std::uint64_t first, std::optional<std::uint64_t> last) {
    std::optional<HttpRange> range;
    if (first > 0 || last) range = HttpRange{first, last};
    stream_.reset();  // one at a time
    stream_ = std::make_unique<UrlStream>(*client_, source_, range,
                                          [signal = signal_] { signal->set(); });
    position_ = first;
}

void UrlSource::wait() {
    if (stopping_()) throw CompareError::cancelled();
    signal_->wait();
}

void UrlSource::await_head() {
    while (stream_->head() == nullptr) {
        if (!stream_->look()) wait();
    }
}

std::span<const char> UrlSource::next() {
    while (stream_->bytes().empty() && !stream_->ended()) {
        if (!stream_->look()) wait();
    }
    return stream_->bytes();
}

std::size_t UrlSource::read_at(std::uint64_t offset, std::span<char> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const std::uint64_t at = offset + done;
        const std::span<char> rest = out.subspan(done);
        std::size_t got = head_.read(at, rest);
        if (got == 0) got = tail_.read(at, rest);
        if (got == 0) {
            if (size_ && at >= *size_) break;
            go_to(at);
            // It may be in memory now.
            got = head_.read(at, rest);
            if (got == 0) got = tail_.read(at, rest);
        }
        if (got == 0) {
            const std::span<const char> come = next();
            if (come.empty()) break;
            got = std::min(come.size(), rest.size());
            std::memcpy(rest.data(), come.data(), got);
            if (position_ == head_.bytes.size() && position_ < kept_size) {
                head_.bytes.insert(head_.bytes.end(), come.data(), come.data() + got);
            }
            stream_->take(got);
            position_ += got;
        }
        done += got;
    }
    return done;
}

bool UrlSource::has_ranges() const noexcept { return size_ && first_head_.accepts_ranges; }

void UrlSource::begin_at(std::uint64_t first, std::optional<std::uint64_t> last) {
    ask(first, last);
    await_head();
    stream_->expect(first_head_);
    if (first == 0 || stream_->head()->partial) return;
    // A server may do without ranges at any time: this is the whole once more.
    first_head_.accepts_ranges = false;
    position_ = 0;
}

void UrlSource::go_to(std::uint64_t offset) {
    const bool near = stream_ && position_ <= offset && offset - position_ <= skipped_size;
    if (!near && has_ranges() && tail_.bytes.empty() && *size_ - offset <= kept_size) {
        keep_tail();
        if (has_ranges()) return;
    }
    if (!near && (has_ranges() || !stream_ || offset < position_)) {
        begin_at(has_ranges() ? offset : 0, {});
        if (!has_ranges() && ++restarts_ == most_restarts) return keep_everything_anew();
    }
    while (position_ < offset) {
        const std::span<const char> come = next();
        if (come.empty()) return;
        const auto skipped =
            static_cast<std::size_t>(std::min<std::uint64_t>(come.size(), offset - position_));
        expect_known(come.first(skipped));
        stream_->take(skipped);
        position_ += skipped;
    }
}

void UrlSource::expect_known(std::span<const char> bytes) const {
    std::vector<char> known(bytes.size());
    known.resize(head_.read(position_, known));
    if (!std::equal(known.begin(), known.end(), bytes.begin())) fail_as_changed();
}

void UrlSource::keep_tail() {
    const std::uint64_t first = *size_ - std::min(*size_, kept_size);
    begin_at(first, *size_ - 1);
    if (position_ != first) return;
    Part tail{first, {}};
    for (auto come = next(); !come.empty(); come = next()) {
        tail.bytes.insert(tail.bytes.end(), come.begin(), come.end());
        stream_->take(come.size());
    }
    tail_ = std::move(tail);
    stream_.reset();
}

void UrlSource::fail_as_changed() const {
    throw CompareError(CompareFailure::unreadable, EIO, name_, "changed while it was compared");
}

void UrlSource::fail_as_too_large() const {
    throw CompareError(CompareFailure::unreadable, EFBIG, name_,
                       "too large to be kept in memory, and the server has no ranges");
}

void UrlSource::keep_everything() {
    if (size_.value_or(0) > most_in_memory) fail_as_too_large();
    for (auto come = next(); !come.empty(); come = next()) {
        if (head_.bytes.size() + come.size() > most_in_memory) fail_as_too_large();
        head_.bytes.insert(head_.bytes.end(), come.begin(), come.end());
        stream_->take(come.size());
        position_ += come.size();
    }
    size_ = head_.bytes.size();
    kept_ = true;
}

void UrlSource::keep_everything_anew() {
    const std::vector<char> known = std::exchange(head_.bytes, {});
    keep_everything();
    const std::vector<char>& now = head_.bytes;
    if (now.size() < known.size() || !std::equal(known.begin(), known.end(), now.begin())) {
        fail_as_changed();
    }
}

}  // namespace filetree::compare
