#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "content_hash.hpp"
#include "filetree/compare.hpp"
#include "url_stream.hpp"

namespace filetree::compare {

// The content of a URL as the hashes of its ranges, made while it comes.
//
// Threads: one at a time; `on_change` is called by any.
class UrlDigest {
   public:
    // Begins. Ranges are of `range_size` bytes, but for the last one.
    UrlDigest(HttpClient& client, const SourceRef& source, const HashKey& key,
              std::uint64_t range_size, std::function<void()> on_change);

    // Hashes what has come. `found` is called with the place and the hash of each range. Throws
    // CompareError.
    using Found = std::function<void(std::uint64_t place, const ContentHash::Tag& tag)>;
    [[nodiscard]] StreamStep go_on(const std::atomic<bool>& stop, const Found& found);

    // As the server says; nothing where it does not, or has not yet.
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept;
    // What has been hashed so far.
    [[nodiscard]] std::uint64_t length() const noexcept { return length_; }
    [[nodiscard]] std::vector<ContentHash::Tag> take_tags() noexcept { return std::move(tags_); }

   private:
    void add(std::span<const char> bytes, const Found& found);
    void end_range(const Found& found);

    UrlStream stream_;
    const HashKey& key_;
    const std::uint64_t range_size_;
    std::optional<ContentHash> hash_;  // once there is something to hash
    std::uint64_t length_ = 0;
    std::vector<ContentHash::Tag> tags_;
};

}  // namespace filetree::compare
