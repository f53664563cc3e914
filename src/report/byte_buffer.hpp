#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

namespace filetree::report {

// A growing buffer of bytes, 64-byte aligned as Arrow recommends, and never zeroed: on the hot path
// the room is ensured once for many appends.
class ByteBuffer {
   public:
    ByteBuffer() = default;
    // When something comes, it takes `first` bytes at once.
    explicit ByteBuffer(std::size_t first) : first_(aligned(first)) {}

    [[nodiscard]] char* data() noexcept { return data_.get(); }
    [[nodiscard]] const char* data() const noexcept { return data_.get(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] char* end() noexcept { return data_.get() + size_; }
    void clear() noexcept { size_ = 0; }
    void set_end(const char* end) noexcept { size_ = static_cast<std::size_t>(end - data_.get()); }

    // Makes room for `more` bytes behind the end.
    void ensure(std::size_t more) {
        if (size_ + more > capacity_) grow(size_ + more);
    }
    // Room must have been ensured.
    void append_unchecked(std::string_view bytes) noexcept {
        if (bytes.empty()) return;  // memcpy must not be given null
        std::memcpy(end(), bytes.data(), bytes.size());
        size_ += bytes.size();
    }
    void append(std::string_view bytes) {
        ensure(bytes.size());
        append_unchecked(bytes);
    }
    [[nodiscard]] std::string_view view() const noexcept { return {data_.get(), size_}; }

   private:
    struct Free {
        void operator()(char* p) const noexcept { std::free(p); }
    };
    static constexpr std::size_t alignment = 64;
    static constexpr std::size_t aligned(std::size_t bytes) {
        return (bytes + alignment - 1) / alignment * alignment;
    }

    void grow(std::size_t wanted) {
        std::size_t capacity = capacity_ == 0 ? first_ : capacity_ * 2;
        if (capacity < wanted) capacity = aligned(wanted);
        std::unique_ptr<char, Free> larger(
            static_cast<char*>(std::aligned_alloc(alignment, capacity)));
        if (!larger) throw std::bad_alloc();
        if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
        data_ = std::move(larger);
        capacity_ = capacity;
    }

    std::unique_ptr<char, Free> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    std::size_t first_ = 4096;
};

}  // namespace filetree::report
