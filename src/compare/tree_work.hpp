#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tree_job.hpp"

namespace filetree::compare {

// A name in two directories, to be opened as a directory on both sides, or on the only one that has
// it.
class Opening final : public TreeWork {
   public:
    struct Side {
        HeldNode parent;
        bool follow = false;
    };
    Opening(TreeJob& job, Side a, Side b, std::string name)
        : job_(job), a_(std::move(a)), b_(std::move(b)), name_(std::move(name)) {}

    [[nodiscard]] bool exhausted() const override { return claimed_; }
    [[nodiscard]] Job::Piece claim(const std::shared_ptr<TreeWork>& self) override;

   private:
    // False when it is to be tried again.
    [[nodiscard]] bool open();

    TreeJob& job_;
    Side a_;
    Side b_;
    const std::string name_;
    bool claimed_ = false;
};

// Reads what two open directories, or the one that is there, hold, and leaves it to be compared.
void compare_directories(TreeJob& job, HeldNode a, HeldNode b, CallContext& context);

// The names of two directories, in batches.
class Names final : public TreeWork {
   public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    // Indices of one name in both listings; `none` where it is not.
    struct Pair {
        std::uint32_t a = none;
        std::uint32_t b = none;
    };
    struct Side {
        HeldNode place;
        Listing names;
    };
    Names(TreeJob& job, Side a, Side b);

    [[nodiscard]] bool exhausted() const override { return ranges_.empty(); }
    [[nodiscard]] Job::Piece claim(const std::shared_ptr<TreeWork>& self) override;

   private:
    friend class Batch;
    using Range = std::pair<std::size_t, std::size_t>;

    TreeJob& job_;
    Side a_;
    Side b_;
    std::vector<Pair> pairs_;
    std::vector<Range> ranges_;  // of pairs_, not yet handed out
};

// Two large files, in ranges.
class Ranges final : public TreeWork {
   public:
    Ranges(TreeJob& job, std::unique_ptr<PairReader> files, std::string path)
        : job_(job), files_(std::move(files)), path_(std::move(path)) {}

    [[nodiscard]] bool exhausted() const override { return failed_ || !files_->has_more(); }
    [[nodiscard]] Job::Piece claim(const std::shared_ptr<TreeWork>& self) override;

   private:
    void read(PairReader::Range range);

    TreeJob& job_;
    const std::unique_ptr<PairReader> files_;
    const std::string path_;
    // Both guarded by the job's lock.
    unsigned active_ = 0;
    bool failed_ = false;
};

}  // namespace filetree::compare
