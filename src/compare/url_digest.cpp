#include "url_digest.hpp"

#include <algorithm>

#include "shortage.hpp"

namespace filetree::compare {
namespace {

// What is hashed before others have their turn.
constexpr std::uint64_t piece_size = std::uint64_t{4} << 20U;

}  // namespace

UrlDigest::UrlDigest(HttpClient& client, const SourceRef& source, const HashKey& key,
                     std::uint64_t range_size, std::function<void()> on_change)
    : stream_(client, source, std::nullopt, std::move(on_change)),
      key_(key),
      range_size_(range_size) {}

std::optional<std::uint64_t> UrlDigest::size() const noexcept {
    return stream_.head() != nullptr ? stream_.head()->length : std::nullopt;
}

StreamStep UrlDigest::go_on(const std::atomic<bool>& stop, const Found& found) {
    const std::uint64_t begun = length_;
    while (!stop && length_ - begun < piece_size) {
        if (!stream_.look()) return StreamStep::waits;
        add(stream_.bytes(), found);
        stream_.take(stream_.bytes().size());
        if (!stream_.ended()) continue;
        if (length_ % range_size_ != 0) end_range(found);
        return StreamStep::done;
    }
    return StreamStep::more;
}

void UrlDigest::add(std::span<const char> bytes, const Found& found) {
    if (!bytes.empty() && !hash_) hash_.emplace(key_);
    while (!bytes.empty()) {
        const std::uint64_t left = range_size_ - length_ % range_size_;
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()));
        hash_->add(bytes.first(count));
        bytes = bytes.subspan(count);
        length_ += count;
        Shortage::progressed();
        if (length_ % range_size_ == 0) end_range(found);
    }
}

void UrlDigest::end_range(const Found& found) {
    tags_.push_back(hash_->finish());
    found((tags_.size() - 1) * range_size_, tags_.back());
}

}  // namespace filetree::compare
