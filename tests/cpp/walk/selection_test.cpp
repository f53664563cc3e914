#include "selection.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

namespace filetree::walk {
namespace {

WalkOptions excluding(std::vector<std::string> paths) {
    WalkOptions options;
    options.exclude = std::move(paths);
    return options;
}

// Whether `path`, relative to the top, is excluded itself.
bool excludes(const Selection& selection, const std::vector<std::string>& path) {
    const ExcludedNames* at = selection.excluded();
    for (std::size_t i = 0; i + 1 < path.size() && at != nullptr; ++i) at = at->below(path[i]);
    return at != nullptr && at->excludes(path.back());
}

TEST(Selection, ExcludesNothingByDefault) {
    EXPECT_EQ(Selection(WalkOptions{}, "/top").excluded(), nullptr);
}

TEST(Selection, ExcludesAPathMatchedWholeComponentByComponent) {
    const Selection selection(excluding({"/top/a", "/top/b/c"}), "/top");
    EXPECT_TRUE(excludes(selection, {"a"}));
    EXPECT_TRUE(excludes(selection, {"b", "c"}));
    EXPECT_FALSE(excludes(selection, {"ab"}));
    EXPECT_FALSE(excludes(selection, {"b"}));
    EXPECT_FALSE(excludes(selection, {"c"}));
    EXPECT_FALSE(excludes(selection, {"b", "cc"}));
    EXPECT_FALSE(excludes(selection, {"b", "c", "d"})) << "below what is not entered";
    EXPECT_FALSE(excludes(selection, {"x", "a"}));
}

TEST(Selection, IgnoresRepeatedSlashesAndDots) {
    const Selection selection(excluding({"/./top//a/.///b/"}), "//top/.");
    EXPECT_TRUE(excludes(selection, {"a", "b"}));
}

TEST(Selection, TakesRelativePathsFromTheWorkingDirectory) {
    const Selection both(excluding({"top/a", "./top/b"}), "top");
    EXPECT_TRUE(excludes(both, {"a"}));
    EXPECT_TRUE(excludes(both, {"b"}));
    const Selection mixed(excluding({std::filesystem::current_path().native() + "/top/a"}), "top");
    EXPECT_TRUE(excludes(mixed, {"a"}));
    const Selection dot(excluding({"a"}), ".");
    EXPECT_TRUE(excludes(dot, {"a"}));
}

TEST(Selection, TakesDotDotForAnOrdinaryName) {
    const Selection selection(excluding({"/top/b/../a"}), "/top");
    EXPECT_FALSE(excludes(selection, {"a"}));
    EXPECT_TRUE(excludes(selection, {"b", "..", "a"}));
}

TEST(Selection, PathsOutsideTheTreeExcludeNothing) {
    EXPECT_EQ(Selection(excluding({"/other", "/to", "/topper/a", "/"}), "/top").excluded(),
              nullptr);
    EXPECT_EQ(Selection(excluding({"/a"}), "/a/b/c").excluded(), nullptr);
}

TEST(Selection, APathMayBeExcludedTogetherWithOneAboveIt) {
    const Selection selection(excluding({"/t/a/b", "/t/a", "/t/a/b"}), "/t");
    EXPECT_TRUE(excludes(selection, {"a"}));
    EXPECT_TRUE(excludes(selection, {"a", "b"}));
}

TEST(Selection, WorksForTheRootDirectory) {
    const Selection selection(excluding({"/proc"}), "/");
    EXPECT_TRUE(excludes(selection, {"proc"}));
    EXPECT_THROW(Selection(excluding({"/."}), "/"), std::invalid_argument);
}

TEST(Selection, RefusesTheTopItselfAndEmptyPaths) {
    EXPECT_THROW(Selection(excluding({"/top/"}), "/top"), std::invalid_argument);
    EXPECT_THROW(Selection(excluding({"top"}), "./top"), std::invalid_argument);
    EXPECT_THROW(Selection(excluding({""}), "/top"), std::invalid_argument);
}

TEST(Selection, ExcludesRawBytes) {
    const Selection selection(excluding({"/top/\xff\n", "/top/\"q\""}), "/top");
    EXPECT_TRUE(excludes(selection, {"\xff\n"}));
    EXPECT_TRUE(excludes(selection, {"\"q\""}));
}

TEST(Selection, EntersDirectoriesAboveTheDepthLimit) {
    WalkOptions options;
    EXPECT_TRUE(Selection(options, "t").enters(nullptr, "d", 1'000'000)) << "no limit by default";
    options.max_depth = 2;
    const Selection selection(options, "t");
    EXPECT_TRUE(selection.enters(nullptr, "d", 0));
    EXPECT_TRUE(selection.enters(nullptr, "d", 1));
    EXPECT_FALSE(selection.enters(nullptr, "d", 2));
    EXPECT_FALSE(selection.enters(nullptr, "d", 3));
}

TEST(Selection, EntersSnapshotsOnlyWhenToldTo) {
    WalkOptions options;
    EXPECT_FALSE(Selection(options, "t").enters(nullptr, ".snapshot", 0));
    EXPECT_TRUE(Selection(options, "t").enters(nullptr, ".snapshots", 0));
    EXPECT_TRUE(Selection(options, "t").enters(nullptr, "snapshot", 0));
    options.ignore_snapshots = false;
    EXPECT_TRUE(Selection(options, "t").enters(nullptr, ".snapshot", 0));
}

TEST(Selection, ComparesMountsOnlyForOneFileSystem) {
    Attributes top;
    top.mount_id = 7;
    Attributes other;
    other.mount_id = 8;
    WalkOptions options;
    EXPECT_TRUE(Selection(options, "t").on_allowed_mount(other, top));
    options.one_file_system = true;
    EXPECT_FALSE(Selection(options, "t").on_allowed_mount(other, top));
    EXPECT_TRUE(Selection(options, "t").on_allowed_mount(top, top));
    EXPECT_TRUE(Selection(options, "t").needs_mounts());
}

}  // namespace
}  // namespace filetree::walk
